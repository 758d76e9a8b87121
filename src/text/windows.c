#include "base/size.h"
#include "text/dataset.h"
#include <string.h>

static qz_status append(qz_windows *w, const uint32_t *ids, size_t n, size_t *fill, size_t *cap, qz_error *err) {
    if (*fill + n > *cap) {
        size_t grown = (*fill + n) * 2;
        uint32_t *more = qz_realloc_array(w->ids, grown, sizeof *more);
        if (more == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory packing windows");
        w->ids = more;
        *cap = grown;
    }
    memcpy(w->ids + *fill, ids, n * sizeof *ids);
    *fill += n;
    return QZ_OK;
}

qz_status qz_windows_build(const qz_tokenizer *t, const qz_dataset *d, size_t seq_len, size_t max_windows, qz_length_policy policy, qz_windows *out,
                           qz_error *err) {
    *out = (qz_windows){.seq_len = seq_len, .samples_read = d->n};
    size_t fill = 0, cap = 0, limit = max_windows ? max_windows : SIZE_MAX;
    qz_ids ids = {0};
    qz_status st = QZ_OK;
    for (size_t i = 0; i < d->n && st == QZ_OK; i++) {
        if (fill / seq_len >= limit) {
            out->samples_dropped += d->n - i; /* there is more data than windows were asked for */
            break;
        }
        ids.n = 0;
        st = qz_sample_encode(t, &d->samples[i], d->kind == QZ_DATA_TEXT_FILE, &ids, err);
        if (st != QZ_OK) {
            (void)qz_sample_failed(d, &d->samples[i], st, err);
            break;
        }
        size_t n = ids.n;
        out->tokens_total += n;
        if (n == 0 || (policy == QZ_DROP && n > seq_len)) {
            out->samples_dropped++;
            continue;
        }
        if (policy != QZ_PACK && n > seq_len) n = seq_len;
        if (limit != SIZE_MAX) n = qz_min_size(n, limit * seq_len - fill);
        out->samples_truncated += n < ids.n;
        out->samples_used++;
        st = append(out, ids.ids, n, &fill, &cap, err);
    }
    qz_ids_release(&ids);
    if (st == QZ_OK && fill > 0 && fill < seq_len) out->seq_len = seq_len = fill; /* one short window is all there is */
    if (st == QZ_OK && fill == 0) st = qz_fail(err, QZ_EUSAGE, "no calibration tokens: file '%s' gives none (%zu samples read)", d->path, d->n);
    if (st != QZ_OK) {
        qz_windows_release(out);
        return st;
    }
    out->n_windows = fill / seq_len;
    out->tokens_used = out->n_windows * seq_len;
    out->tokens_cut = out->tokens_total - out->tokens_used;
    return QZ_OK;
}
void qz_windows_release(qz_windows *w) {
    qz_free(w->ids);
    *w = (qz_windows){0};
}
