/* Runs a fuzz target over the files that are named on the command line: the corpus, replayed without libFuzzer. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int main(int argc, char **argv)
{
    enum { MAX_BYTES = 1 << 20 };
    uint8_t *data = malloc(MAX_BYTES);
    if (!data)
        return 3;
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (!file) {
            fprintf(stderr, "%s: cannot open\n", argv[i]);
            free(data);
            return 3;
        }
        size_t len = fread(data, 1, MAX_BYTES, file);
        fclose(file);
        LLVMFuzzerTestOneInput(data, len);
    }
    printf("%d inputs replayed\n", argc - 1);
    free(data);
    return argc > 1 ? 0 : 1;
}
