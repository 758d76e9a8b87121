#include "report/measured.h"

qz_status qz_bench_table(bool json, qz_arena *arena, qz_table *t, qz_error *err) {
    static const qz_column cols[] = {{"Artifact", 'l'}, {"Size GB", 'r'}, {"load s", 'r'}, {"TTFT ms", 'r'}, {"prompt tok/s", 'r'}, {"gen tok/s", 'r'},
                                     {"min-max", 'r'}, {"RSS MiB", 'r'}, {"GB/s", 'r'}, {"% bw", 'r'}, {"kernel", 'l'}};
    static const qz_column all[] = {{"artifact", 'l'}, {"bytes", 'r'}, {"load_s", 'r'},
        {"ttft_ms", 'r'}, {"ttft_ms_min", 'r'}, {"ttft_ms_max", 'r'}, {"ttft_ms_p95", 'r'}, {"ttft_ms_p99", 'r'},
        {"prompt_tps", 'r'}, {"prompt_tps_min", 'r'}, {"prompt_tps_max", 'r'}, {"prompt_tps_p95", 'r'}, {"prompt_tps_p99", 'r'},
        {"gen_tps", 'r'}, {"gen_tps_min", 'r'}, {"gen_tps_max", 'r'}, {"gen_tps_p95", 'r'}, {"gen_tps_p99", 'r'},
        {"end_to_end_tps", 'r'}, {"end_to_end_tps_min", 'r'}, {"end_to_end_tps_max", 'r'}, {"end_to_end_tps_p95", 'r'}, {"end_to_end_tps_p99", 'r'},
        {"prompt_tokens", 'r'}, {"pp_tokens", 'r'}, {"new_tokens", 'r'}, {"repeats", 'r'}, {"peak_rss_bytes", 'r'}, {"engine_bytes", 'r'}, {"kv_bytes", 'r'},
        {"bytes_per_token", 'r'}, {"bandwidth_gbs", 'r'}, {"memory_bandwidth_gbs", 'r'}, {"kernel", 'l'}, {"cpu", 'l'},
        {"load_average", 'r'}, {"involuntary_switches_per_s", 'r'}, {"under_load", 'r'},
        {"unread_keys", 'r'}, {"unread", 'l'}};
    return json ? qz_table_init(t, arena, NULL, all, sizeof all / sizeof all[0], err)
                : qz_table_init(t, arena, NULL, cols, sizeof cols / sizeof cols[0], err);
}

static qz_status figures(qz_table *t, const char *name, const qz_model *m, const qz_bench *b, double bandwidth, qz_error *err) {
    const qz_latency *l = &b->speed;
    QZ_TRY(qz_table_row(t, err));
    QZ_TRY(qz_table_set(t, 0, err, "%s", name));
    QZ_TRY(qz_table_set(t, 1, err, "%.3f", (double)m->file_bytes / 1e9));
    QZ_TRY(qz_table_set(t, 2, err, "%.3f", b->load_seconds));
    QZ_TRY(qz_table_set(t, 3, err, "%.2f", l->ttft_ms.median));
    QZ_TRY(qz_table_set(t, 4, err, "%.1f", l->prompt_tps.median));
    QZ_TRY(qz_table_set(t, 5, err, "%.1f", l->gen_tps.median));
    QZ_TRY(qz_table_set(t, 6, err, "%.1f-%.1f", l->gen_tps.min, l->gen_tps.max));
    QZ_TRY(qz_table_set(t, 7, err, "%.0f", (double)b->peak_rss / 1048576.0));
    QZ_TRY(qz_table_set(t, 8, err, "%.1f", l->bandwidth_gbs));
    QZ_TRY(qz_table_set(t, 9, err, "%.0f", bandwidth > 0 ? 100 * l->bandwidth_gbs / bandwidth : 0.0));
    QZ_TRY(qz_table_set(t, 10, err, "%s", b->kernel));
    return QZ_OK;
}

/* Numbers the table has no room for; --json has them all. */
static qz_status all_figures(qz_table *t, const char *name, const qz_model *m, const qz_bench *b, double bandwidth, qz_error *err) {
    const qz_latency *l = &b->speed;
    const qz_spread *sp[] = {&l->ttft_ms, &l->prompt_tps, &l->gen_tps, &l->end_to_end_tps};
    QZ_TRY(qz_table_row(t, err));
    QZ_TRY(qz_table_set(t, 0, err, "%s", name));
    QZ_TRY(qz_table_set(t, 1, err, "%llu", (unsigned long long)m->file_bytes));
    QZ_TRY(qz_table_set(t, 2, err, "%.6f", b->load_seconds));
    for (size_t i = 0; i < 4; i++) {
        const double v[] = {sp[i]->median, sp[i]->min, sp[i]->max, sp[i]->p95, sp[i]->p99};
        for (size_t k = 0; k < 5; k++) QZ_TRY(qz_table_set(t, 3 + 5 * i + k, err, "%.4f", v[k]));
    }
    const uint64_t n[] = {l->prompt_tokens, l->pp_tokens, l->new_tokens, l->repeats, b->peak_rss, b->engine_bytes, l->kv_bytes};
    for (size_t i = 0; i < 7; i++) QZ_TRY(qz_table_set(t, 23 + i, err, "%llu", (unsigned long long)n[i]));
    QZ_TRY(qz_table_set(t, 30, err, "%.0f", l->bytes_per_token));
    QZ_TRY(qz_table_set(t, 31, err, "%.3f", l->bandwidth_gbs));
    QZ_TRY(qz_table_set(t, 32, err, "%.3f", bandwidth));
    QZ_TRY(qz_table_set(t, 33, err, "%s", b->kernel));
    QZ_TRY(qz_table_set(t, 34, err, "%s", b->cpu));
    QZ_TRY(qz_table_set(t, 35, err, "%.2f", b->load_average));
    QZ_TRY(qz_table_set(t, 36, err, "%.1f", b->switches));
    QZ_TRY(qz_table_set(t, 37, err, "%d", b->loaded));
    const qz_config_keys *k = &m->config.keys;
    if (k->n_noted) QZ_TRY(qz_table_set(t, 38, err, "%u", k->n_noted));
    return k->n_noted ? qz_table_set(t, 39, err, "%s", k->noted) : QZ_OK;
}

qz_status qz_bench_row(qz_table *t, bool json, const char *name, const qz_model *m, const qz_bench *b, double bandwidth, qz_error *err) {
    return json ? all_figures(t, name, m, b, bandwidth, err) : figures(t, name, m, b, bandwidth, err);
}
