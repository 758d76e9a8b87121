#include "artifacts/gguf_layout.h"
#include "artifacts/schemes.h"
#include "base/size.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MOST_ROOM ((uint64_t)1 << 30)

/* Digits, then one of the endings with its factor; *out 0 where the text is none. */
static void number_of(const char *text, const char *endings, const uint64_t *factors, uint64_t *out) {
    char *end;
    *out = 0;
    errno = 0;
    const unsigned long long v = isdigit((unsigned char)*text) ? strtoull(text, &end, 10) : 0;
    const char *at = v && *end ? strchr(endings, *end) : NULL;
    if (v == 0 || errno || (*end && (at == NULL || end[1]))) return;
    if (!qz_mul_u64(v, *end ? factors[at - endings] : 1, out)) *out = 0;
}

qz_status qz_gguf_size_of(const char *text, const char *option, uint64_t *out, qz_error *err) {
    static const uint64_t factors[] = {1000000, 1000000000};
    const size_t n = strlen(text);
    if (n && strchr("MG", text[n - 1])) number_of(text, "MG", factors, out);
    else *out = 0;
    if (*out) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE,
                   "bad value '%.40s' for --%s: expected a number above 0 with M (10^6 bytes) or G (10^9), for example "
                   "4G",
                   text, option);
}

static qz_status room_of(const char *text, uint64_t *out, qz_error *err) {
    static const uint64_t factors[] = {(uint64_t)1 << 10, (uint64_t)1 << 20};
    if (strcmp(text, "0") == 0) return *out = 0, QZ_OK;
    number_of(text, "KM", factors, out);
    if (*out && *out <= MOST_ROOM) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE,
                   "bad value '%.40s' for --reserve: expected bytes, or a number with K or M (KiB, MiB) up to 1024M, "
                   "or 0",
                   text);
}

bool qz_gguf_is_split(const qz_scheme_spec *spec) {
    return spec->layout.max_bytes || spec->layout.max_tensors || spec->layout.keep;
}

qz_status qz_gguf_layout_parse(qz_scheme_spec *spec, const qz_gguf_wishes *w, qz_error *err) {
    const char *given = w->max_size      ? "split-max-size"
                        : w->max_tensors ? "split-max-tensors"
                        : w->keep        ? "keep-split"
                        : w->reserve     ? "reserve"
                                         : NULL;
    if (given && spec->scheme != QZ_SCHEME_GGUF)
        return qz_fail(err, QZ_EUSAGE, "--%s is for GGUF, and '%s' is none", given, spec->name);
    if ((w->max_size != NULL) + (w->max_tensors != NULL) + w->keep > 1)
        return qz_fail(err, QZ_EUSAGE,
                       "--split-max-size, --split-max-tensors and --keep-split exclude each other: expected one of "
                       "them");
    spec->layout = (qz_gguf_layout){.keep = w->keep, .room_as_usual = w->reserve == NULL};
    if (w->max_size) QZ_TRY(qz_gguf_size_of(w->max_size, "split-max-size", &spec->layout.max_bytes, err));
    if (w->max_tensors) {
        number_of(w->max_tensors, "", NULL, &spec->layout.max_tensors);
        if (spec->layout.max_tensors == 0)
            return qz_fail(err, QZ_EUSAGE,
                           "bad value '%.40s' for --split-max-tensors: expected a whole number above 0",
                           w->max_tensors);
    }
    return w->reserve ? room_of(w->reserve, &spec->layout.room, err) : QZ_OK;
}

qz_status qz_gguf_layout_parts(const qz_gguf_layout *l, const uint64_t *padded, size_t n, size_t *part, size_t *count,
                               qz_error *err) {
    uint64_t bytes = 0, tensors = 0, next = 0;
    *count = 1;
    for (size_t i = 0; i < n; i++) {
        const bool fits = qz_add_u64(bytes, padded[i], &next);
        const bool large = l->max_bytes && (!fits || next > l->max_bytes);
        if (tensors && (large || (l->max_tensors && tensors == l->max_tensors))) {
            ++*count;
            tensors = 0;
            next = padded[i];
        }
        bytes = next;
        tensors++;
        part[i] = *count - 1;
    }
    if (*count <= QZ_GGUF_MAX_PARTS) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE, "too many parts: expected at most %u, found %zu; give a larger limit",
                   QZ_GGUF_MAX_PARTS, *count);
}

/* In the order of llama-gguf-split. */
void qz_gguf_put_split(qz_gguf_meta *m, size_t no, size_t count, size_t tensors) {
    qz_gguf_put_u16(m, QZ_GGUF_SPLIT_NO, (uint16_t)no);
    qz_gguf_put_i32(m, QZ_GGUF_SPLIT_TENSORS, (int32_t)tensors);
    qz_gguf_put_u16(m, QZ_GGUF_SPLIT_COUNT, (uint16_t)count);
}

void qz_gguf_put_room(qz_gguf_meta *m, uint64_t bytes) {
    char *spaces = bytes ? qz_alloc_array((size_t)bytes, 1) : NULL;
    if (bytes == 0) return;
    if (spaces) memset(spaces, ' ', (size_t)bytes);
    m->bytes.failed |= spaces == NULL;
    if (spaces) qz_gguf_put_text(m, QZ_GGUF_ROOM_KEY, spaces, (size_t)bytes);
    qz_free(spaces);
}
