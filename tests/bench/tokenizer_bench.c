/* Encoding and decoding speed of one thread. usage: tokenizer_bench TOKENIZER FILE… (repeats 5 times,
 * best and spread). */
#include <stdio.h>
#include "base/io.h"
#include "base/size.h"
#include "text/tokenizer.h"

enum { REPEATS = 5 };

static qz_status bench(const qz_tokenizer *t, const char *path, qz_error *err) {
    char *text = NULL;
    size_t n = 0;
    qz_ids ids = {0};
    qz_str back = {0};
    double best = 1e30, worst = 0, decode = 1e30;
    qz_status st = QZ_OK;
    QZ_TRY(qz_read_file(path, (size_t)1 << 30, &text, &n, err));
    for (int i = 0; i < REPEATS; i++) {
        ids.n = 0;
        qz_str_clear(&back);
        double start = qz_now();
        QZ_GOTO(qz_tokenizer_encode(t, text, n, QZ_ENCODE_PARSE_SPECIAL, &ids, err));
        double mid = qz_now();
        QZ_GOTO(qz_tokenizer_decode(t, ids.ids, ids.n, false, &back, err));
        double d = mid - start, e = qz_now() - mid;
        best = d < best ? d : best;
        worst = d > worst ? d : worst;
        decode = e < decode ? e : decode;
    }
    printf("%-40s %9zu bytes %8zu tokens  encode %6.1f MB/s (slowest %.1f)  decode %6.1f MB/s\n", qz_path_base(path), n,
           ids.n, (double)n / best / 1e6, (double)n / worst / 1e6, (double)n / decode / 1e6);
out:
    qz_ids_release(&ids);
    qz_str_release(&back);
    qz_free(text);
    return st;
}

int main(int argc, char **argv) {
    qz_error err = {0};
    qz_tokenizer *t = NULL;
    double start = qz_now();
    qz_status st = argc > 2 ? qz_tokenizer_load(argv[1], &t, &err)
                            : qz_fail(&err, QZ_EUSAGE, "usage: %s TOKENIZER FILE...", argv[0]);
    if (st == QZ_OK) printf("loaded %zu ids in %.3f s\n", qz_tokenizer_vocab_size(t), qz_now() - start);
    for (int i = 2; i < argc && st == QZ_OK; i++) st = bench(t, argv[i], &err);
    if (st != QZ_OK) fprintf(stderr, "quantz: error: %s\n", err.text);
    qz_tokenizer_free(t);
    return qz_exit_code(st);
}
