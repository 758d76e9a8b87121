/* Fuzz target of task files: what is accepted can be asked and judged; an exact task is solved by its own output. */
#include <stdlib.h>
#include <string.h>
#include "fuzz_file.h"
#include "text/dataset.h"
#include "text/tasks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
        if (!s.tasks[i].prompt) abort();
        if (s.tasks[i].check != QZ_CHECK_EXACT) continue;
        if (qz_task_solved(&s.tasks[i], s.tasks[i].output, strlen(s.tasks[i].output), &solved, &err) != QZ_OK) abort();
    }
    qz_taskset_release(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static qz_tokenizer *t;
    char path[64];
    qz_error err = {0};
    if (!t && qz_tokenizer_load(QZ_SOURCE_DIR "/models/market", &t, &err) != QZ_OK) abort();
    int fd = fuzz_file(data, size, path);
    tasks(t, path, (const char *)data, size);
    close(fd);
    return 0;
}
