/* What a station does about jamming. Each part is switched by itself and off unless asked for (docs/scenario.md). */
#ifndef APPS_STATION_RESPOND_H
#define APPS_STATION_RESPOND_H

#include <stdbool.h>

struct app_responses {
    bool hop;     /* the control channel follows the hop set that the ledger agreed on */
    bool rate;    /* what goes to all on a jammed channel goes as it survives best */
    bool slots;   /* vote slots are longer while the control channel is jammed */
    bool timers;  /* the engine's timers follow the station's own access delay */
    bool migrate; /* a lease holder leaves a jammed channel for another one that it wants */
};

#endif
