#include "base/json_write.h"
#include "model/leftovers.h"
#include "report/measured.h"
#include <stdio.h>

qz_status qz_bench_table(qz_arena *arena, qz_table *t, qz_error *err) {
    static const qz_column cols[] = {{"Artifact", 'l'}, {"Size GB", 'r'}, {"load s", 'r'}, {"TTFT ms", 'r'},
                                     {"prompt tok/s", 'r'}, {"gen tok/s", 'r'},
                                     {"min-max", 'r'}, {"RSS MiB", 'r'}, {"GB/s", 'r'}, {"% bw", 'r'}, {"kernel", 'l'}};
    return qz_table_init(t, arena, NULL, cols, sizeof cols / sizeof cols[0], err);
}

qz_status qz_bench_row(qz_table *t, const char *name, const qz_model *m, const qz_bench *b, double bandwidth,
                       qz_error *err) {
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

static void spread(qz_json_writer *w, const char *key, const qz_spread *s) {
    qz_jw_open(w, key, '{');
    qz_jw_real(w, "median", s->median);
    qz_jw_real(w, "min", s->min);
    qz_jw_real(w, "max", s->max);
    qz_jw_real(w, "p95", s->p95);
    qz_jw_real(w, "p99", s->p99);
    qz_jw_close(w, '}');
}
void qz_speed_json(const qz_bench *b, qz_json_writer *w) {
    const qz_latency *l = &b->speed;
    qz_jw_real(w, "load_s", b->load_seconds);
    spread(w, "ttft_ms", &l->ttft_ms);
    spread(w, "prompt_tps", &l->prompt_tps);
    spread(w, "gen_tps", &l->gen_tps);
    qz_jw_count(w, "peak_rss_bytes", b->peak_rss);
    qz_jw_real(w, "bytes_per_token", l->bytes_per_token);
    qz_jw_real(w, "bandwidth_gbs", l->bandwidth_gbs);
    qz_jw_text(w, "kernel", b->kernel);
}
static uint64_t weight_bytes(const qz_model *m) {
    uint64_t n = 0;
    for (size_t i = 0; i < m->n_tensors; i++) n += m->tensors[i].bytes;
    return n;
}

void qz_bench_json_begin(qz_json_writer *w, const qz_bench_facts *f, qz_str *out) {
    qz_jw_begin(w, out);
    qz_jw_text(w, "machine", f->machine);
    qz_jw_count(w, "threads", f->threads);
    qz_jw_text(w, "governor", f->governor);
    qz_jw_real(w, "memory_bandwidth_gbs", f->bandwidth);
    qz_jw_bool(w, "eos_stops", false); /* end-of-sequence does not stop a measurement */
    qz_jw_open(w, "rows", '[');
}
void qz_bench_json_end(qz_json_writer *w) {
    qz_str_puts(w->out, "\n");
    qz_jw_close(w, ']');
    qz_jw_end(w);
}
/* Numbers the table has no room for; --json has them all. */
void qz_bench_json_row(qz_json_writer *w, const char *name, const qz_model *m, const qz_bench *b, double bandwidth) {
    const qz_latency *l = &b->speed;
    const struct {
        const char *key;
        uint64_t v;
    } n[] = {{"prompt_tokens", l->prompt_tokens},
             {"pp_tokens", l->pp_tokens},
             {"new_tokens", l->new_tokens},
             {"repeats", l->repeats},
             {"engine_bytes", b->engine_bytes},
             {"kv_bytes", l->kv_bytes}};
    qz_jw_row(w);
    qz_jw_text(w, "artifact", name);
    qz_jw_text(w, "path", m->path);
    qz_jw_count(w, "bytes", m->file_bytes);          /* of the folder or file */
    qz_jw_count(w, "weight_bytes", weight_bytes(m)); /* of its tensors */
    qz_speed_json(b, w);
    spread(w, "end_to_end_tps", &l->end_to_end_tps);
    for (size_t i = 0; i < sizeof n / sizeof n[0]; i++) qz_jw_count(w, n[i].key, n[i].v);
    qz_jw_real(w, "memory_bandwidth_gbs", bandwidth);
    if (bandwidth > 0) qz_jw_real(w, "bandwidth_pct", 100 * l->bandwidth_gbs / bandwidth);
    qz_jw_text(w, "cpu", b->cpu);
    qz_jw_real(w, "load_average", b->load_average);
    qz_jw_real(w, "involuntary_switches_per_s", b->switches);
    qz_jw_count(w, "under_load", b->loaded);
    qz_unread_json(&m->config.keys, "", w);
    qz_jw_close(w, '}');
}
