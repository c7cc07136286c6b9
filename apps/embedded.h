/* Files that are compiled into the program: shipped scenarios and their recordings. */
#ifndef APPS_EMBEDDED_H
#define APPS_EMBEDDED_H
#include <stddef.h>

struct app_embedded_file {
    const char *name;          /* base name, for instance quickstart.yaml */
    const unsigned char *data; /* n_bytes octets, for the life of the program */
    size_t n_bytes;
};

/* Ends with an entry whose name is NULL. */
extern const struct app_embedded_file app_embedded_files[];
#endif
