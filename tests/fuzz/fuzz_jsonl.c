/* Fuzz target of the readers of data sets and of what is done with them: windows and verdicts. */
#include <stdlib.h>
#include "fuzz_file.h"
#include "text/dataset.h"
#include "text/lint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void data_set(const qz_tokenizer *t, const char *path) {
    qz_dataset d;
    qz_error err = {0};
    if (qz_dataset_load(path, t, NULL, &d, &err) != QZ_OK) {
        if (!err.text[0]) abort(); /* every refusal has words */
        return;
    }
    for (int policy = QZ_PACK; policy <= QZ_DROP; policy++) {
        qz_windows w;
        err = (qz_error){0};
        if (qz_windows_build(t, &d, &(qz_window_options){16, policy == QZ_PACK ? 3 : 0, (qz_length_policy)policy, true},
                             &w, &err) != QZ_OK)
            continue;
        if (w.n_windows == 0 || w.seq_len == 0 || w.tokens_used != w.n_windows * w.seq_len ||
            w.tokens_used > w.tokens_total + w.bos_added)
            abort();
        qz_windows_release(&w);
    }
    qz_lint l;
    err = (qz_error){0};
    if (qz_lint_run(t, &d, &(qz_lint_options){.traffic = &d, .eval = &d, .largest_in = 64}, &l, &err) == QZ_OK) {
        if (l.data.unique > l.data.samples || l.divergence > 1e-9) abort(); /* the file against itself */
        qz_lint_release(&l);
    } else if (!err.text[0]) {
        abort();
    }
    qz_dataset_release(&d);
}

/* The tokenizer of the bundled model, with its chat template; loaded once. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static qz_tokenizer *t;
    char path[64];
    qz_error err = {0};
    if (!t && qz_tokenizer_load(QZ_SOURCE_DIR "/models/market", &t, &err) != QZ_OK) abort();
    int fd = fuzz_file(data, size, path);
    data_set(t, path);
    close(fd);
    return 0;
}
