/* Ids of llama.cpp's own vocabulary files. usage: vocab_ids FILE.gguf… ; beside a file FILE.gguf.inp holds texts
 * between lines "__ggml_vocab_test__" and FILE.gguf.out a line of ids for each. A line per file: "same NAME texts",
 * "differs …", "opened …" (nothing recorded) or "refused NAME: why"; exit 1 if any differs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "artifacts/open.h"
#include "base/io.h"
#include "base/size.h"
#include "text/tokenizer.h"

#define LIMIT ((size_t)1 << 24)
static const char between[] = "\n__ggml_vocab_test__\n";

/* True if the line of ids from *line on is v's; moves it to the next line. */
static bool same_line(char **line, const qz_ids *v) {
    char *p = *line;
    bool same = true;
    size_t n = 0;
    for (; *p && *p != '\n'; n++) {
        char *end = p;
        const unsigned long id = strtoul(p, &end, 10);
        same &= end != p && n < v->n && v->ids[n] == id;
        p = end + strspn(end, " ");
        if (end == p && *p != '\n' && *p) return false;
    }
    *line = *p ? p + 1 : p;
    return same && n == v->n;
}

static qz_status compare(const qz_tokenizer *t, char *texts, char *ids, size_t *n, size_t *bad, qz_error *err) {
    for (char *text = texts, *end; *ids; text = end + sizeof between - 1) {
        end = strstr(text, between);
        const size_t len = end ? (size_t)(end - text) : strlen(text);
        qz_ids got = {0};
        qz_status st = qz_tokenizer_encode(t, text, len, 0, &got, err);
        const bool same = st == QZ_OK && same_line(&ids, &got);
        if (!same) printf("  text %zu '%.*s'\n", *n, (int)qz_min_size(len, 60), text);
        *bad += !same;
        ++*n;
        qz_ids_release(&got);
        if (st != QZ_OK || !end) return st;
    }
    return QZ_OK;
}

static qz_status one(const char *path, size_t *all_bad, qz_error *err) {
    qz_tokenizer *t = NULL;
    char *inp = NULL, *out = NULL, *texts = NULL, *ids = NULL;
    size_t n = 0, bad = 0, ignored = 0;
    qz_status st = QZ_OK;
    qz_error why = {0};
    if (qz_artifact_tokenizer(path, &t, &why) != QZ_OK) {
        printf("refused %s: %s\n", qz_path_base(path), why.text);
        return QZ_OK;
    }
    qz_str a = {0};
    qz_str_printf(&a, "%s.inp", path);
    inp = qz_strdup(a.ptr);
    qz_str_clear(&a);
    qz_str_printf(&a, "%s.out", path);
    out = qz_strdup(a.ptr);
    if (qz_path_exists(inp)) {
        QZ_GOTO(qz_read_file(inp, LIMIT, &texts, &ignored, err));
        QZ_GOTO(qz_read_file(out, LIMIT, &ids, &ignored, err));
        QZ_GOTO(compare(t, texts, ids, &n, &bad, err));
    }
    *all_bad += bad;
    printf("%s %s: %zu ids, %zu texts, %zu differ\n", bad ? "differs" : n ? "same" : "opened", qz_path_base(path),
           qz_tokenizer_vocab_size(t), n, bad);
out:
    qz_tokenizer_free(t);
    qz_str_release(&a);
    qz_free(inp);
    qz_free(out);
    qz_free(texts);
    qz_free(ids);
    return st;
}

int main(int argc, char **argv) {
    qz_error err = {0};
    size_t bad = 0;
    qz_status st = argc > 1 ? QZ_OK : qz_fail(&err, QZ_EUSAGE, "usage: %s FILE.gguf...", argv[0]);
    for (int i = 1; i < argc && st == QZ_OK; i++) st = one(argv[i], &bad, &err);
    if (st != QZ_OK) fprintf(stderr, "quantz: error: %s\n", err.text);
    return st != QZ_OK ? qz_exit_code(st) : bad != 0;
}
