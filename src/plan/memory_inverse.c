/* Inverse questions by bisection: memory grows with users and with context. */
#include "plan/memory.h"

/* Weights do not depend on users or context: weighed once. */
static qz_status freeze(const qz_memory_query *q, qz_memory_query *fixed, qz_error *err) {
    *fixed = *q;
    fixed->level = QZ_LEVEL_COUNT;
    if (q->weight_bytes) return QZ_OK;
    qz_weighed w;
    QZ_TRY(qz_level_weigh(q->shape, q->level, q->imatrix, NULL, &w, err));
    fixed->weight_bytes = w.bytes;
    return QZ_OK;
}

static qz_status fits(const qz_memory_query *q, uint64_t users, uint64_t ctx, bool *yes, qz_error *err) {
    qz_memory_query one = *q;
    qz_memory m;
    qz_error overflow = {0};
    one.users = users;
    one.ctx = ctx;
    qz_status st = qz_memory_plan(&one, &m, &overflow);
    *yes = st == QZ_OK && m.fits;
    /* what cannot be counted does not fit */
    return st == QZ_OK || st == QZ_EUSAGE ? QZ_OK : qz_fail(err, st, "%s", overflow.text);
}

static qz_status largest(const qz_memory_query *q, bool by_users, uint64_t *out, qz_error *err) {
    const uint64_t most = (uint64_t)1 << 40;
    qz_memory_query fixed;
    uint64_t lo = 0, hi = 1;
    bool yes = true;
    *out = 0;
    QZ_TRY(freeze(q, &fixed, err));
    while (yes && hi <= most) {
        QZ_TRY(fits(&fixed, by_users ? hi : q->users, by_users ? q->ctx : hi, &yes, err));
        if (yes) lo = hi, hi *= 2;
    }
    while (hi - lo > 1 && lo < most) {
        uint64_t mid = lo + (hi - lo) / 2;
        QZ_TRY(fits(&fixed, by_users ? mid : q->users, by_users ? q->ctx : mid, &yes, err));
        if (yes) lo = mid;
        else hi = mid;
    }
    *out = lo;
    return QZ_OK;
}
qz_status qz_memory_max_users(const qz_memory_query *q, uint64_t *out, qz_error *err) {
    return largest(q, true, out, err);
}
qz_status qz_memory_max_ctx(const qz_memory_query *q, uint64_t *out, qz_error *err) {
    return largest(q, false, out, err);
}

qz_status qz_memory_best_level(const qz_memory_query *q, const qz_level *levels, size_t n, qz_level *out,
                               uint64_t *shortfall, qz_error *err) {
    uint64_t heaviest = 0;
    int64_t closest = INT64_MIN;
    *out = QZ_LEVEL_COUNT;
    for (size_t i = 0; i < n; i++) {
        qz_memory_query one = *q;
        qz_memory m;
        qz_error misfit = {0};
        one.level = levels[i];
        one.weight_bytes = 0;
        qz_status st = qz_memory_plan(&one, &m, &misfit);
        if (st == QZ_EUNSUPPORTED) continue; /* the format cannot hold this shape */
        if (st != QZ_OK) return qz_fail(err, st, "%s", misfit.text);
        if (m.room > closest) closest = m.room;
        if (m.fits && m.weights.bytes > heaviest) heaviest = m.weights.bytes, *out = levels[i];
    }
    *shortfall = closest < 0 && closest != INT64_MIN ? (uint64_t)-closest : 0;
    return QZ_OK;
}
