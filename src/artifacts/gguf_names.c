#include "artifacts/artifacts_int.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char *const pairs[][2] = {
#define QZ_GGUF_NAME(hf, gguf) { hf, gguf },
#include "artifacts/gguf_names.def"
#undef QZ_GGUF_NAME
};
static const char *const top[][2] = { { "model.embed_tokens", "token_embd" }, { "model.norm", "output_norm" }, { "lm_head", "output" } };

/* stem ".weight" or ".bias" -> length of the stem; 0 if neither. */
static size_t stem(const char *name, const char **suffix) {
    const char *dot = strrchr(name, '.');
    if (!dot || (strcmp(dot, ".weight") && strcmp(dot, ".bias"))) return 0;
    *suffix = dot;
    return (size_t)(dot - name);
}
static bool same(const char *s, size_t n, const char *want) { return strlen(want) == n && memcmp(s, want, n) == 0; }

static bool translate(const char *name, int from, const char *prefix, const char *out_prefix, char *buf, size_t size) {
    const char *suffix = NULL;
    size_t n = stem(name, &suffix), p = strlen(prefix);
    if (n == 0) return false;
    for (size_t i = 0; i < sizeof top / sizeof *top; i++)
        if (same(name, n, top[i][from])) return snprintf(buf, size, "%s%s", top[i][!from], suffix) < (int)size;
    if (strncmp(name, prefix, p) || !isdigit((unsigned char)name[p])) return false;
    size_t d = p;
    while (isdigit((unsigned char)name[d])) d++;
    if (name[d] != '.' || d - p > 4 || n < d + 1) return false;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (same(name + d + 1, n - d - 1, pairs[i][from]))
            return snprintf(buf, size, "%s%.*s.%s%s", out_prefix, (int)(d - p), name + p, pairs[i][!from], suffix) < (int)size;
    return false;
}
bool qz_gguf_name_from_hf(const char *hf, char *buf, size_t size) { return translate(hf, 0, "model.layers.", "blk.", buf, size); }
bool qz_gguf_name_to_hf(const char *gguf, char *buf, size_t size) { return translate(gguf, 1, "blk.", "model.layers.", buf, size); }
