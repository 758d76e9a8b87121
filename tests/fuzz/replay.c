/* A main for every fuzz target that works with any compiler: replays the files of a corpus folder, each also cut short
 * and with seeded changes of single bytes. usage: fuzz_X FOLDER [changes per file]. With libFuzzer this
 * file is left out. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/io.h"
#include "base/rng.h"
#include "base/size.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Runs on an exact copy, so that a sanitizer sees reads past the end. */
static void run(const uint8_t *data, size_t n) {
    uint8_t *copy = malloc(n ? n : 1);
    if (!copy) abort();
    memcpy(copy, data, n);
    (void)LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static void change(qz_rng *r, uint8_t *p, size_t n) {
    static const char interesting[] = "\0\xff{}[]\"'\\:,%|-0129aA\x80\xe2";
    for (uint64_t k = 1 + qz_rng_below(r, 4); n && k > 0; k--) {
        size_t at = (size_t)qz_rng_below(r, n);
        if (qz_rng_below(r, 2))
            p[at] = (uint8_t)interesting[qz_rng_below(r, sizeof interesting - 1)];
        else
            p[at] = (uint8_t)(p[at] ^ 1u << qz_rng_below(r, 8));
    }
}

int main(int argc, char **argv) {
    size_t changes = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 0, n_names = 0, runs = 0;
    char **names = NULL;
    qz_error err = {0};
    qz_rng r;
    if (argc < 2 || qz_list_dir(argv[1], &names, &n_names, &err) != QZ_OK) {
        fprintf(stderr, "usage: %s FOLDER [changes]: %s\n", argv[0], err.text);
        return 2;
    }
    for (size_t i = 0; i < n_names; i++) {
        char *path = qz_path_join(argv[1], names[i]), *data = NULL;
        size_t n = 0;
        if (!path || qz_read_file(path, 1 << 24, &data, &n, &err) != QZ_OK) {
            fprintf(stderr, "%s\n", err.text);
            return 2;
        }
        run((uint8_t *)data, n);
        for (size_t cut = 1; cut <= 8 && changes; cut++) run((uint8_t *)data, n * cut / 9);
        runs += changes ? 9 : 1;
        qz_rng_seed(&r, i + 1);
        for (size_t k = 0; k < changes && n; k++, runs++) {
            uint8_t *copy = malloc(n);
            if (!copy) abort();
            memcpy(copy, data, n);
            change(&r, copy, n);
            run(copy, n - (size_t)qz_rng_below(&r, 8) % n);
            free(copy);
        }
        qz_free(data);
        qz_free(path);
    }
    printf("%zu files, %zu runs\n", n_names, runs);
    qz_free_names(names, n_names);
    return n_names ? 0 : 1;
}
