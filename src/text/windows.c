#include "base/size.h"
#include "text/dataset.h"
#include <string.h>

typedef struct { qz_windows *w; size_t seq_len, fill, cap; int64_t bos; } packer; /* bos -1: none */

static qz_status append(packer *p, const uint32_t *ids, size_t n, qz_error *err) {
    if (p->fill + n > p->cap) {
        const size_t grown = (p->fill + n) * 2;
        uint32_t *more = qz_realloc_array(p->w->ids, grown, sizeof *more);
        if (more == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory packing windows");
        p->w->ids = more;
        p->cap = grown;
    }
    memcpy(p->w->ids + p->fill, ids, n * sizeof *ids);
    p->fill += n;
    return QZ_OK;
}

/* At most `limit` tokens in all; *taken: of the n. */
static qz_status pack(packer *p, const uint32_t *ids, size_t n, size_t limit, size_t *taken, qz_error *err) {
    *taken = 0;
    while (*taken < n && p->fill < limit) {
        const size_t at = p->fill % p->seq_len;
        if (at == 0 && p->bos >= 0 && ids[*taken] != p->bos) {
            const uint32_t bos = (uint32_t)p->bos;
            QZ_TRY(append(p, &bos, 1, err));
            p->w->bos_added++;
            continue;
        }
        size_t part = qz_min_size(n - *taken, limit - p->fill);
        if (p->bos >= 0) part = qz_min_size(part, p->seq_len - at);
        QZ_TRY(append(p, ids + *taken, part, err));
        *taken += part;
    }
    return QZ_OK;
}

qz_status qz_windows_build(const qz_tokenizer *t, const qz_dataset *d, const qz_window_options *o, qz_windows *out,
                           qz_error *err) {
    size_t seq_len = o->seq_len;
    *out = (qz_windows){.seq_len = seq_len, .samples_read = d->n};
    const size_t limit = o->most ? o->most : SIZE_MAX;
    packer p = {.w = out, .seq_len = seq_len,
                .bos = o->bos && t && d->kind != QZ_DATA_JSONL_IDS ? qz_tokenizer_bos(t) : -1};
    qz_ids ids = {0};
    qz_status st = QZ_OK;
    for (size_t i = 0; i < d->n && st == QZ_OK; i++) {
        if (p.fill / seq_len >= limit) {
            out->samples_dropped += d->n - i; /* there is more data than windows were asked for */
            break;
        }
        ids.n = 0;
        st = qz_sample_encode(t, &d->samples[i], d->kind == QZ_DATA_TEXT_FILE, &ids, err);
        if (st != QZ_OK) {
            (void)qz_sample_failed(d, &d->samples[i], st, err);
            break;
        }
        size_t n = ids.n, taken;
        out->tokens_total += n;
        if (n == 0 || (o->policy == QZ_DROP && n > seq_len)) {
            out->samples_dropped++;
            continue;
        }
        if (o->policy != QZ_PACK && n > seq_len) n = seq_len;
        st = pack(&p, ids.ids, n, limit == SIZE_MAX ? SIZE_MAX : limit * seq_len, &taken, err);
        out->samples_truncated += taken < ids.n;
        out->samples_used++;
    }
    qz_ids_release(&ids);
    const size_t fill = p.fill;
    if (st == QZ_OK && fill > 0 && fill < seq_len) out->seq_len = seq_len = fill; /* one short window is all there is */
    if (st == QZ_OK && fill == 0)
        st = qz_fail(err, QZ_EUSAGE, "no calibration tokens: file '%s' gives none (%zu samples read)", d->path, d->n);
    if (st != QZ_OK) {
        qz_windows_release(out);
        return st;
    }
    out->n_windows = fill / seq_len;
    out->bos_added = qz_min_size(out->bos_added, out->n_windows); /* not that of a window that stayed short */
    out->tokens_used = out->n_windows * seq_len;
    out->tokens_cut = out->tokens_total + out->bos_added - out->tokens_used;
    return QZ_OK;
}
void qz_windows_release(qz_windows *w) {
    qz_free(w->ids);
    *w = (qz_windows){0};
}
