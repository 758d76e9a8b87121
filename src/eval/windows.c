#include "eval/windows.h"
#include "base/hash.h"
#include "base/size.h"
#include <stdio.h>
#include <string.h>

enum { SAMPLE_TOKENS = 1024 };
static const char *const names[] = {"samples", "half", "windows", "stride"};

static qz_status pick(const qz_eval_options *o, const qz_dataset *d, qz_protocol *out, qz_error *err) {
    if (o->protocol == NULL) {
        *out = d->kind == QZ_DATA_TEXT_FILE ? QZ_PROTO_HALF : QZ_PROTO_SAMPLES;
        return QZ_OK;
    }
    for (size_t i = 0; i < 4; i++)
        if (strcmp(names[i], o->protocol) == 0) return *out = (qz_protocol)i, QZ_OK;
    return qz_fail(err, QZ_EUSAGE, "bad value '%s' for --protocol: expected samples, half, windows or stride",
                   o->protocol);
}

static qz_status add(qz_eval_set *s, const uint32_t *ids, size_t n, size_t first, qz_error *err) {
    uint32_t *copy = qz_arena_alloc(&s->arena, n, sizeof *copy);
    if (copy == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for evaluation windows");
    memcpy(copy, ids, n * sizeof *copy);
    s->windows[s->n++] = (qz_eval_window){copy, n, first};
    s->scored += n - first;
    s->longest = qz_max_size(s->longest, n);
    return QZ_OK;
}

static qz_status by_sample(const qz_tokenizer *t, const qz_dataset *d, const qz_eval_options *o, qz_eval_set *s,
                           qz_error *err) {
    size_t limit = o->max_windows ? qz_min_size(d->n, o->max_windows) : d->n; /* automatic: all */
    s->windows = qz_arena_calloc(&s->arena, limit + 1, sizeof *s->windows);
    if (s->windows == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for evaluation windows");
    qz_ids ids = {0};
    qz_status st = QZ_OK;
    for (size_t i = 0; i < limit && st == QZ_OK; i++) {
        ids.n = 0;
        st = qz_sample_failed(d, &d->samples[i], qz_sample_encode(t, &d->samples[i], false, &ids, err), err);
        if (st != QZ_OK) break;
        if (ids.n < 2) s->skipped++;
        else st = add(s, ids.ids, qz_min_size(ids.n, SAMPLE_TOKENS), 1, err);
    }
    qz_ids_release(&ids);
    (void)snprintf(s->describe, sizeof s->describe, "samples: %zu text%s, first %d tokens, %zu scored", s->n,
                   qz_plural(s->n), SAMPLE_TOKENS, s->scored);
    return st;
}

static qz_status all_ids(const qz_tokenizer *t, const qz_dataset *d, qz_ids *ids, qz_error *err) {
    for (size_t i = 0; i < d->n; i++)
        QZ_TRY(qz_sample_failed(d, &d->samples[i], qz_sample_encode(t, &d->samples[i], true, ids, err), err));
    return QZ_OK;
}

static qz_status cut(const qz_eval_options *o, qz_ids *ids, qz_eval_set *s, qz_error *err) {
    size_t w = o->window, step = s->protocol == QZ_PROTO_STRIDE ? o->stride : w,
           limit = o->max_windows == QZ_EVAL_AUTO ? QZ_EVAL_WINDOWS
                   : o->max_windows               ? o->max_windows
                                                  : SIZE_MAX;
    if (ids->n < w)
        return qz_fail(err, QZ_EUSAGE,
                       "text is too short: expected at least one window of %zu tokens, found %zu; use --window", w,
                       ids->n);
    if (s->protocol == QZ_PROTO_STRIDE && (step == 0 || step > w))
        return qz_fail(err, QZ_EUSAGE, "--stride must lie in 1..%zu", w);
    size_t tokens = ids->n; /* stride: max_windows steps */
    if (s->protocol == QZ_PROTO_STRIDE && limit < tokens / step) tokens = limit * step;
    size_t count = s->protocol == QZ_PROTO_STRIDE ? (tokens + step - 1) / step : qz_min_size(ids->n / w, limit);
    s->windows = qz_arena_calloc(&s->arena, count + 1, sizeof *s->windows);
    if (s->windows == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for evaluation windows");
    size_t done = 1; /* stride: targets before this index are scored already */
    for (size_t i = 0; i < count; i++) {
        size_t at = i * step, n = qz_min_size(w, tokens - at), first = s->protocol == QZ_PROTO_HALF ? n / 2 + 1 : 1;
        if (s->protocol == QZ_PROTO_STRIDE) {
            first = done > at ? done - at : 1;
            done = at + n;
        }
        if (first < n) QZ_TRY(add(s, ids->ids + at, n, first, err));
        if (s->protocol == QZ_PROTO_HALF && o->bos >= 0)
            *(uint32_t *)(uintptr_t)s->windows[s->n - 1].ids = (uint32_t)o->bos;
        if (s->protocol == QZ_PROTO_STRIDE && at + n >= tokens) break;
    }
    (void)snprintf(s->describe, sizeof s->describe, "%s: %zu window%s of %zu tokens, %zu scored", names[s->protocol],
                   s->n, qz_plural(s->n), w, s->scored);
    return QZ_OK;
}

qz_status qz_eval_set_build(const qz_tokenizer *t, const qz_dataset *d, const qz_eval_options *o, qz_eval_set *out,
                            qz_error *err) {
    *out = (qz_eval_set){0};
    qz_ids ids = {0};
    qz_status st = pick(o, d, &out->protocol, err);
    if (st == QZ_OK && out->protocol == QZ_PROTO_SAMPLES) st = by_sample(t, d, o, out, err);
    else if (st == QZ_OK) {
        st = all_ids(t, d, &ids, err);
        if (st == QZ_OK) st = cut(o, &ids, out, err);
    }
    qz_ids_release(&ids);
    if (st == QZ_OK && out->scored == 0)
        st = qz_fail(err, QZ_EUSAGE, "nothing to evaluate: file '%s' gives no scored token", d->path);
    if (st != QZ_OK) {
        qz_eval_set_release(out);
        return st;
    }
    qz_sha256 h = {0};
    for (size_t i = 0; i < out->n; i++) {
        uint64_t facts[2] = {out->windows[i].n, out->windows[i].first};
        qz_sha256_update(&h, facts, sizeof facts);
        qz_sha256_update(&h, out->windows[i].ids, out->windows[i].n * sizeof(uint32_t));
    }
    qz_sha256_final_hex(&h, out->token_hash);
    return QZ_OK;
}
void qz_eval_set_release(qz_eval_set *s) {
    qz_arena_release(&s->arena);
    *s = (qz_eval_set){0};
}
