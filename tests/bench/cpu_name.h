/* What a benchmark says about the processor that it ran on. */
#ifndef TESTS_BENCH_CPU_NAME_H
#define TESTS_BENCH_CPU_NAME_H

#include <stdio.h>
#include <string.h>

/* The processor's name, fit for a JSON string; "unknown" where the system does not tell it. */
static inline void read_cpu_name(char *name, size_t cap)
{
    snprintf(name, cap, "unknown");
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];
    while (file && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon)
            continue;
        line[strcspn(line, "\n\"\\")] = '\0';
        snprintf(name, cap, "%s", colon + 2);
        break;
    }
    if (file)
        fclose(file);
}
#endif
