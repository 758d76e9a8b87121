/* Fuzz target of the readers of data sets and task files, and of what is done with them: windows, verdicts, checks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
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
        if (qz_windows_build(t, &d, 16, policy == QZ_PACK ? 3 : 0, (qz_length_policy)policy, &w, &err) != QZ_OK) continue;
        if (w.n_windows == 0 || w.seq_len == 0 || w.tokens_used != w.n_windows * w.seq_len || w.tokens_used > w.tokens_total) abort();
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

static void tasks(const qz_tokenizer *t, const char *path, const char *answer, size_t n) {
    qz_taskset s;
    qz_error err = {0};
    if (qz_taskset_load(path, t, 8, &s, &err) != QZ_OK) {
        if (!err.text[0]) abort();
        return;
    }
    for (size_t i = 0; i < s.n; i++) {
        bool solved;
        err = (qz_error){0};
        (void)qz_task_solved(&s.tasks[i], answer, n, &solved, &err);
        if (s.tasks[i].check != QZ_CHECK_EXACT) continue;
        if (qz_task_solved(&s.tasks[i], s.tasks[i].output, strlen(s.tasks[i].output), &solved, &err) != QZ_OK) abort();
    }
    qz_taskset_release(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[64];
    qz_tokenizer *t = NULL;
    qz_error err = {0};
    int fd = memfd_create("fuzz", 0);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) abort();
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (qz_tokenizer_load("models/market", &t, &err) != QZ_OK) abort();
    data_set(t, path);
    tasks(t, path, (const char *)data, size);
    qz_tokenizer_free(t);
    close(fd);
    return 0;
}
