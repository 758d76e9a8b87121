#include "calibrate/experts.h"
#include "base/json_write.h"
#include <stdlib.h>

static bool sparse(const qz_stats *s, size_t layer) { return qz_inputs_sparse(&s->info.in, layer); }

uint64_t qz_expert_tokens(const qz_stats *s, size_t layer, size_t x) {
    const size_t first = QZ_MIXER_LINEARS; /* of the feed-forward: all of an expert see the same tokens */
    return qz_stats_get(s, layer, qz_input_of(&s->info.in, layer, first, (long)x)).tokens;
}

typedef struct { uint64_t least, median, most; size_t unseen, few; } spread;

static int by_count(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}
/* The median of an even number: the lower of the two in the middle. */
static spread spread_of(const qz_stats *s, size_t layer) {
    uint64_t n[QZ_MAX_EXPERTS];
    const size_t experts = (size_t)s->info.in.experts;
    spread r = {0};
    for (size_t x = 0; x < experts; x++) {
        n[x] = qz_expert_tokens(s, layer, x);
        r.unseen += n[x] == 0;
        r.few += n[x] < QZ_EXPERT_TOKENS;
    }
    qsort(n, experts, sizeof *n, by_count);
    r.least = n[0], r.median = n[(experts - 1) / 2], r.most = n[experts - 1];
    return r;
}

qz_status qz_experts_table(const qz_stats *s, qz_arena *arena, qz_table *t, qz_error *err) {
    static const qz_column cols[] = {{"Layer", 'r'}, {"Least", 'r'}, {"Median", 'r'}, {"Most", 'r'}, {"Unseen", 'r'}};
    *t = (qz_table){0};
    for (size_t l = 0; l < s->info.in.layers; l++) {
        if (!sparse(s, l)) continue;
        const spread r = spread_of(s, l);
        const uint64_t cells[] = {l, r.least, r.median, r.most, r.unseen};
        if (t->n_cols == 0) QZ_TRY(qz_table_init(t, arena, "Tokens per expert", cols, 5, err));
        QZ_TRY(qz_table_row(t, err));
        for (size_t k = 0; k < 5; k++) QZ_TRY(qz_table_set(t, k, err, "%llu", (unsigned long long)cells[k]));
    }
    return QZ_OK;
}

void qz_experts_json(const qz_stats *s, qz_str *out) {
    qz_json_writer w = {.out = out};
    qz_jw_open(&w, NULL, '[');
    for (size_t l = 0; l < s->info.in.layers; l++) {
        if (!sparse(s, l)) continue;
        const spread r = spread_of(s, l);
        qz_jw_open(&w, NULL, '{');
        qz_jw_count(&w, "layer", l);
        qz_jw_count(&w, "least", r.least);
        qz_jw_count(&w, "median", r.median);
        qz_jw_count(&w, "most", r.most);
        qz_jw_count(&w, "unseen", r.unseen);
        qz_jw_open(&w, "tokens", '[');
        for (size_t x = 0; x < s->info.in.experts; x++) qz_jw_count(&w, NULL, qz_expert_tokens(s, l, x));
        qz_jw_close(&w, ']');
        qz_jw_close(&w, '}');
    }
    qz_jw_close(&w, ']');
}

void qz_experts_name(qz_str *list, size_t n, size_t expert) {
    if (n < QZ_EXPERTS_NAMED) qz_str_printf(list, "%s%zu", n ? ", " : "", expert);
}
void qz_experts_rest(qz_str *list, size_t n) {
    if (n > QZ_EXPERTS_NAMED) qz_str_printf(list, " and %zu more", n - QZ_EXPERTS_NAMED);
}

void qz_experts_warn(qz_run *run, const qz_stats *s) {
    for (size_t l = 0; l < s->info.in.layers; l++) {
        if (!sparse(s, l)) continue;
        qz_str names = {0};
        size_t n = 0;
        for (size_t x = 0; x < s->info.in.experts; x++)
            if (qz_expert_tokens(s, l, x) < QZ_EXPERT_TOKENS) qz_experts_name(&names, n++, x);
        qz_experts_rest(&names, n);
        if (n)
            qz_warn(run,
                    "CAL-EXPERT layer %zu: %zu of %llu experts < %d tokens, %zu saw none: %s; give more or broader "
                    "data",
                    l, n, (unsigned long long)s->info.in.experts, QZ_EXPERT_TOKENS, spread_of(s, l).unseen,
                    names.ptr ? names.ptr : "");
        qz_str_release(&names);
    }
}
