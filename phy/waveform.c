#include "phy/waveform.h"

#include <string.h>

const struct phy_waveform *phy_waveform_find(const char *name)
{
    const struct phy_waveform *known[] = {phy_waveform_wifi(), phy_waveform_flex()};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i]->name, name) == 0)
            return known[i];
    return NULL;
}
