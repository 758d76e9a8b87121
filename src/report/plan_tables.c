/* The other tables of `plan`: contexts × users, layers over GPU and system memory, decode speed, the job,
 * the two lists. */
#include "base/io.h"
#include "base/size.h"
#include "report/fit.h"
#include "base/json_write.h"
#include "report/plan_view.h"
#include "report/table_print.h"
#include <stdio.h>
#include <string.h>

static double gb(uint64_t b) { return (double)b / 1e9; }

static void emit(const qz_table *t, bool json, qz_str *out) {
    if (json) qz_table_answer(t, out);
    else qz_table_text(t, out);
}

/* What all these answers say; the answer's own facts follow, then its rows. */
static void json_begin(const qz_plan_view *v, qz_json_writer *w, qz_str *out) {
    qz_jw_begin(w, out);
    qz_jw_text(w, "model", v->shape->name);
    qz_jw_count(w, "layers", v->shape->layers);
    qz_jw_count(w, "users", v->q.users);
    qz_jw_count(w, "context", v->q.ctx);
    qz_jw_text(w, "device", v->hw ? v->hw->name : NULL);
    qz_jw_count(w, "capacity_bytes", v->q.capacity);
    qz_jw_real(w, "reserve_percent", v->o.reserve);
}
static void json_end(qz_json_writer *w, const qz_table *t) {
    qz_table_rows(t, w);
    qz_jw_end(w);
}

/* Why each format asked for cannot hold the model, NULL where it can: such a format's row says so, the others go on. */
typedef struct { const char **why; bool any; } misfits;
static qz_status find_misfits(const qz_plan_view *v, qz_arena *a, misfits *m, qz_error *err) {
    *m = (misfits){.why = qz_arena_calloc(a, v->n_levels + 1, sizeof *m->why)};
    if (m->why == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    for (size_t i = 0; i < v->n_levels; i++) {
        qz_weighed w;
        qz_error why = {0};
        const qz_status st = qz_level_weigh(v->shape, v->levels[i], v->q.imatrix, NULL, &w, &why);
        if (st == QZ_OK) continue;
        if (st != QZ_EUNSUPPORTED) return qz_fail(err, st, "%s", why.text);
        m->any = true;
        m->why[i] = qz_arena_strdup(a, why.text);
        if (m->why[i] == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    }
    return QZ_OK;
}
static const qz_column why_not = {"Why not", 'l'};
/* The row of one that does not fit. The reason is the last column of JSON; text has it in a line below the table,
 * where it has room. */
static qz_status say_misfit(const qz_plan_view *v, qz_table *t, size_t level, const char *why, qz_error *err) {
    QZ_TRY(qz_table_row(t, err));
    QZ_TRY(qz_table_set(t, 0, err, "%s", qz_level_get(v->levels[level])->name));
    return v->o.json ? qz_table_set(t, t->n_cols - 1, err, "%s", why) : qz_table_set(t, 1, err, "no fit");
}
static void explain_misfits(const qz_plan_view *v, const misfits *m, bool gguf_alone, qz_str *out) {
    for (size_t i = 0; i < v->n_levels; i++) {
        qz_str line = {0};
        if (m->why[i] == NULL || (gguf_alone && qz_level_get(v->levels[i])->kind != QZ_LEVEL_GGUF)) continue;
        qz_str_printf(&line, "%s: %s", qz_level_get(v->levels[i])->name, m->why[i]);
        qz_fit_line(out, line.ptr ? line.ptr : "", 2);
        out->failed |= line.failed;
        qz_str_release(&line);
    }
}
/* A table of cols, and of the reason where one has any. */
static qz_status open_table(const qz_plan_view *v, qz_table *t, qz_arena *a, const qz_column *cols, size_t n,
                            const misfits *m, qz_error *err) {
    qz_column *all = qz_arena_calloc(a, n + 1, sizeof *all);
    if (all == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    memcpy(all, cols, n * sizeof *cols);
    all[n] = why_not;
    return qz_table_init(t, a, NULL, all, n + (v->o.json && m->any), err);
}

/* One row a context and format, one column a number of users. */
qz_status qz_plan_print_grid(const qz_plan_view *v, qz_str *out, qz_error *err) {
    qz_arena a = {0};
    qz_table t;
    qz_json_writer w;
    misfits bad = {0};
    size_t n = v->n_users + 3;
    const bool json = v->o.json; /* always GB there, to the byte */
    const qz_plan_unit unit = json ? (qz_plan_unit){1e9, 1073741824.0, "GB", "GiB"} : qz_plan_unit_of(v);
    qz_column *cols = qz_arena_calloc(&a, n, sizeof *cols);
    qz_status st = cols ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory");
    if (st != QZ_OK) goto out;
    cols[0] = (qz_column){"Format", 'l'};
    cols[1] = (qz_column){"Context", 'r'};
    cols[2] = (qz_column){strcmp(unit.gb, "MB") == 0 ? "Weights MB" : "Weights GB", 'r'};
    for (size_t u = 0; u < v->n_users; u++) {
        cols[3 + u] = (qz_column){qz_arena_printf(&a, "%llu user%s %s", (unsigned long long)v->users[u],
                                                  v->users[u] == 1 ? "" : "s", unit.gb),
                                  'r'};
        if (cols[3 + u].title == NULL) st = qz_fail(err, QZ_EMEMORY, "out of memory");
    }
    if (st == QZ_OK) st = find_misfits(v, &a, &bad, err);
    if (st == QZ_OK) st = open_table(v, &t, &a, cols, n, &bad, err);
    for (size_t l = 0; l < v->n_levels && st == QZ_OK; l++) {
        if (bad.why[l]) QZ_GOTO(say_misfit(v, &t, l, bad.why[l], err));
        for (size_t c = 0; c < v->n_contexts && !bad.why[l]; c++) {
            QZ_GOTO(qz_table_row(&t, err));
            QZ_GOTO(qz_table_set(&t, 0, err, "%s", qz_level_get(v->levels[l])->name));
            QZ_GOTO(qz_table_set(&t, 1, err, "%llu", (unsigned long long)v->contexts[c]));
            for (size_t u = 0; u < v->n_users; u++) {
                qz_memory_query q = v->q;
                qz_memory m;
                q.level = v->levels[l], q.ctx = v->contexts[c], q.users = v->users[u];
                QZ_GOTO(qz_memory_plan(&q, &m, err));
                QZ_GOTO(qz_table_set(&t, 2, err, "%.*f", json ? 9 : 2, (double)m.weights.bytes / unit.ten));
                QZ_GOTO(qz_table_set(&t, 3 + u, err, "%.*f%s", json ? 9 : 2, (double)m.total_buffers / unit.ten,
                                     json || q.capacity == 0 ? ""
                                     : m.fits                ? " fits"
                                                             : " -   "));
            }
        }
    }
    if (st == QZ_OK && !v->o.json)
        qz_fit_printf(out, 2, "%s: weights + KV cache (%s/%s) + buffers, %s (10^%c bytes)%s", v->shape->name,
                      qz_kv_type_get(v->q.kv.k)->name, qz_kv_type_get(v->q.kv.v)->name, unit.gb,
                      unit.ten < 1e9 ? '6' : '9', v->q.capacity ? "; 'fits' counts the reserve" : "");
    if (st == QZ_OK && v->o.json) {
        json_begin(v, &w, out);
        qz_jw_text(&w, "kv_type_k", qz_kv_type_get(v->q.kv.k)->name);
        qz_jw_text(&w, "kv_type_v", qz_kv_type_get(v->q.kv.v)->name);
        json_end(&w, &t);
    } else if (st == QZ_OK) {
        emit(&t, false, out);
        explain_misfits(v, &bad, false, out);
    }
out:
    qz_arena_release(&a);
    return st;
}

qz_status qz_plan_print_offload(const qz_plan_view *v, qz_str *out, qz_error *err) {
    static const qz_column cols[] = {{"Format", 'l'},    {"Artifact GB", 'r'}, {"Even", 'r'},      {"Exact", 'r'},
                                     {"On GPU GB", 'r'}, {"One more GB", 'r'}, {"Output GB", 'r'}, {"In RAM GB", 'r'},
                                     {"Fits RAM", 'l'}};
    const size_t n_cols = sizeof cols / sizeof cols[0] - (v->system_bytes == 0);
    qz_arena a = {0};
    qz_table t;
    qz_json_writer w;
    misfits bad = {0};
    const bool json = v->o.json;
    const double usable = (double)v->q.capacity * (1 - v->q.reserve);
    const uint64_t reserve = v->q.overhead;
    qz_status st = find_misfits(v, &a, &bad, err);
    if (st == QZ_OK) st = open_table(v, &t, &a, cols, n_cols, &bad, err);
    for (size_t i = 0; i < v->n_levels && st == QZ_OK; i++) {
        qz_layer_split p;
        qz_weighed weighed;
        const qz_level_info *l = qz_level_get(v->levels[i]);
        if (l->kind != QZ_LEVEL_GGUF) continue; /* only llama.cpp's runtime splits by layer */
        if (bad.why[i]) {
            QZ_GOTO(say_misfit(v, &t, i, bad.why[i], err));
            continue;
        }
        QZ_GOTO(qz_level_weigh(v->shape, v->levels[i], v->q.imatrix, NULL, &weighed, err));
        QZ_GOTO(qz_split_plan(&(qz_split_query){v->shape, v->levels[i], v->q.kv, v->q.users * v->q.ctx,
                                                (uint64_t)usable, reserve},
                              &p, err));
        QZ_GOTO(qz_table_row(&t, err));
        QZ_GOTO(qz_table_set(&t, 0, err, "%s", l->name));
        QZ_GOTO(qz_table_set(&t, 1, err, "%.*f", json ? 9 : 3, gb(weighed.bytes)));
        QZ_GOTO(qz_table_set(&t, 2, err, v->o.json ? "%llu" : "%llu/%llu", (unsigned long long)p.even,
                             (unsigned long long)v->shape->layers));
        if (v->o.json) QZ_GOTO(qz_table_set(&t, 3, err, "%llu", (unsigned long long)p.layers));
        else
            QZ_GOTO(qz_table_set(&t, 3, err, "%llu/%llu%s", (unsigned long long)p.layers,
                                 (unsigned long long)v->shape->layers, p.output_on_gpu ? " + output" : ""));
        QZ_GOTO(qz_table_set(&t, 4, err, "%.*f", json ? 9 : 3, gb(p.gpu_bytes)));
        if (p.next_bytes) QZ_GOTO(qz_table_set(&t, 5, err, "%.*f", json ? 9 : 3, gb(p.next_bytes)));
        QZ_GOTO(qz_table_set(&t, 6, err, "%.*f", json ? 9 : 3, gb(p.output_bytes)));
        QZ_GOTO(qz_table_set(&t, 7, err, "%.*f", json ? 9 : 3, gb(p.system_bytes)));
        if (v->system_bytes) QZ_GOTO(qz_table_set(&t, 8, err, "%s", p.system_bytes <= v->system_usable ? "yes" : "no"));
    }
    if (st == QZ_OK && t.n_rows == 0)
        st = qz_fail(err, QZ_EUSAGE,
                     "no GGUF level among the formats: layers are split by llama.cpp alone; use --formats Q4_K_M or "
                     "--levels");
    if (st == QZ_OK && !v->o.json)
        qz_fit_printf(out, 2,
                      "%s over a GPU of %.2f GB (%g %% kept free: %.2f GB usable, %.2f GB of it for the runtime%s) "
                      "and system memory; KV cache of %llu tokens included",
                      v->shape->name, gb(v->q.capacity), v->o.reserve, usable / 1e9, gb(reserve),
                      v->budget ? ", as in pick for llama.cpp" : "",
                      (unsigned long long)(v->q.users * v->q.ctx));
    if (st == QZ_OK && v->o.json) {
        json_begin(v, &w, out);
        qz_jw_count(&w, "usable_bytes", (uint64_t)usable);
        qz_jw_count(&w, "buffer_bytes", reserve);
        qz_jw_count(&w, "kv_tokens", v->q.users * v->q.ctx);
        qz_jw_count(&w, "system_bytes", v->system_bytes);
        qz_jw_count(&w, "system_usable_bytes", v->system_usable);
        json_end(&w, &t);
    } else if (st == QZ_OK) {
        emit(&t, false, out);
        explain_misfits(v, &bad, true, out);
    }
    if (st == QZ_OK && !v->o.json && v->system_bytes)
        qz_fit_printf(out, 2, "system memory: %.2f GB, %.2f GB usable (20 %% kept free, as in pick)",
                      gb(v->system_bytes), gb(v->system_usable));
    else if (st == QZ_OK && !v->o.json)
        qz_fit_line(out, "whether the memory beside the card holds the rest: give --ram SIZE", 2);
    if (st == QZ_OK && !v->o.json)
        qz_fit_line(out,
                    "Even: all layers taken as equal, without KV. Exact: real tensors and KV in the runtime's order, "
                    "last layers first "
                    "(llama.cpp --n-gpu-layers N), the output layer only behind all of them.",
                    2);
out:
    qz_arena_release(&a);
    return st;
}

static qz_status speed_row(const qz_plan_view *v, qz_table *t, qz_level level, const qz_roofline *f, bool fits_there,
                           qz_error *err) {
    const bool json = v->o.json;
    QZ_TRY(qz_table_row(t, err));
    QZ_TRY(qz_table_set(t, 0, err, "%s", qz_level_get(level)->name));
    QZ_TRY(qz_table_set(t, 1, err, "%.*f", json ? 9 : 3, f->weight_gb));
    QZ_TRY(qz_table_set(t, 2, err, "%.*f", json ? 9 : 3, f->kv_gb));
    QZ_TRY(qz_table_set(t, 3, err, "%.*f", json ? 9 : 2, 1e3 * f->step_s));
    QZ_TRY(qz_table_set(t, 4, err, "%.*f", json ? 9 : 1, f->tokens_s_user));
    QZ_TRY(qz_table_set(t, 5, err, "%.*f", json ? 9 : 1, f->tokens_s_all));
    QZ_TRY(qz_table_set(t, 6, err, "%s", f->bound));
    if (f->bound_from) QZ_TRY(qz_table_set(t, 7, err, "%llu", (unsigned long long)f->bound_from));
    QZ_TRY(qz_table_set(t, 8, err, "%s", f->kernel));
    if (!json) return QZ_OK;
    QZ_TRY(qz_table_set(t, 9, err, "%.9f", 1e3 * f->weights_s));
    if (f->tflops > 0) QZ_TRY(qz_table_set(t, 10, err, "%.9f", 1e3 * f->operations_s));
    QZ_TRY(qz_table_set(t, 11, err, "%.9f", 1e3 * f->kv_s));
    if (f->tflops > 0) QZ_TRY(qz_table_set(t, 12, err, "%.9g", f->tflops));
    QZ_TRY(qz_table_set(t, 13, err, "%u", f->arithmetic));
    return qz_table_set(t, 14, err, "%s", fits_there ? "yes" : "no");
}

qz_status qz_plan_print_speed(const qz_plan_view *v, qz_str *out, qz_error *err) {
    static const qz_column cols[] = {{"Format", 'l'}, {"Read GB", 'r'}, {"KV GB", 'r'}, {"ms/token", 'r'},
                                     {"tok/s user", 'r'}, {"tok/s all", 'r'}, {"Bound", 'l'}, {"from users", 'r'},
                                     {"Kernel", 'l'},
                                     /* these are JSON's alone */
                                     {"Weights ms", 'r'}, {"Operations ms", 'r'}, {"KV ms", 'r'}, {"TFLOPS", 'r'},
                                     {"Arithmetic bits", 'r'}, {"Fits", 'l'}};
    enum { TEXT_COLUMNS = 9 };
    qz_arena a = {0};
    qz_table t;
    qz_json_writer w;
    qz_str large = {0};
    misfits bad = {0};
    char rate[96];
    qz_status st = find_misfits(v, &a, &bad, err);
    if (st == QZ_OK) st = open_table(v, &t, &a, cols, v->o.json ? sizeof cols / sizeof cols[0] : TEXT_COLUMNS, &bad,
                                    err);
    for (size_t i = 0; i < v->n_levels && st == QZ_OK; i++) {
        qz_memory_query q = v->q;
        qz_roofline f;
        if (bad.why[i]) {
            QZ_GOTO(say_misfit(v, &t, i, bad.why[i], err));
            continue;
        }
        q.level = v->levels[i];
        qz_memory m;
        QZ_GOTO(qz_memory_plan(&q, &m, err));
        if (q.capacity && !m.fits && !v->o.json) { /* no speed of what does not run */
            qz_str_printf(&large, "%s%s", large.len ? ", " : "", qz_level_get(v->levels[i])->name);
            continue;
        }
        QZ_GOTO(qz_roofline_decode(&q, v->hw, v->o.overhead_ms / 1e3, &f, err));
        QZ_GOTO(speed_row(v, &t, v->levels[i], &f, q.capacity == 0 || m.fits, err));
    }
    if (st == QZ_OK && !v->o.json)
        qz_fit_printf(out, 2,
                      "%s on %s: %g GB/s, %s, %g ms overhead a token, %llu user%s at %llu tokens; a ceiling",
                      v->shape->name, v->hw->name, v->hw->bandwidth_gbps, qz_plan_tflops(v->hw, rate),
                      v->o.overhead_ms, (unsigned long long)v->q.users, v->q.users == 1 ? "" : "s",
                      (unsigned long long)v->q.ctx);
    if (st == QZ_OK && v->o.json) {
        json_begin(v, &w, out);
        qz_jw_real(&w, "bandwidth_gbps", v->hw->bandwidth_gbps);
        qz_jw_real(&w, "overhead_ms", v->o.overhead_ms);
        qz_jw_real(&w, "tflops_16", v->hw->tflops);
        qz_jw_real(&w, "tflops_8", v->hw->tflops8);
        json_end(&w, &t);
    } else if (st == QZ_OK) {
        emit(&t, false, out);
        explain_misfits(v, &bad, false, out);
        if (large.len)
            qz_fit_printf(out, 2, "no speed, since they do not fit %s with %llu user%s at %llu tokens: %s", v->hw->name,
                          (unsigned long long)v->q.users, v->q.users == 1 ? "" : "s", (unsigned long long)v->q.ctx,
                          large.ptr);
        qz_fit_line(out,
                    "A step takes the longer of reading the weights (memory) and computing with them (operations), "
                    "then reads the KV cache. From so many users on: operations.",
                    2);
    }
out:
    qz_str_release(&large);
    qz_arena_release(&a);
    return st;
}

static void duration(double s, char out[32]) {
    if (s < 90) (void)snprintf(out, 32, "%.0f s", s);
    else if (s < 5400) (void)snprintf(out, 32, "%.0f min", s / 60);
    else (void)snprintf(out, 32, "%.1f h", s / 3600);
}

/* Disk or memory that one of several jobs lacks is its own reason; a single one is refused. */
static qz_status hinder(const qz_plan_view *v, const qz_job *j, uint64_t room, uint64_t ram, qz_arena *a,
                        const char **why, qz_error *err) {
    qz_error said = {0};
    qz_status st = qz_job_check_disk(j, room, v->o.disk ? "--disk" : v->o.output, &said);
    if (st == QZ_OK) st = qz_job_check_ram(j, ram, &said);
    if (st == QZ_OK) return QZ_OK;
    if (v->n_levels == 1) return qz_fail(err, st, "%s", said.text);
    *why = qz_arena_strdup(a, said.text);
    return *why ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory");
}

qz_status qz_plan_print_job(qz_run *run, const qz_plan_view *v, qz_str *out, qz_error *err) {
    static const qz_column cols[] = {{"Format", 'l'}, {"Source GB", 'r'}, {"Output GB", 'r'}, {"Peak disk GB", 'r'},
                                     {"Peak RAM GB", 'r'}, {"Time", 'r'},      {"Calibration", 'l'},
                                     {"Bound", 'l'}};
    qz_arena a = {0};
    qz_table t;
    qz_json_writer w;
    misfits bad = {0};
    qz_str unwritten = {0};
    uint64_t room = 0, ram = qz_hardware_system_bytes(), threads = qz_pool_size(run->pool);
    qz_status st = v->o.disk ? qz_bytes_parse(v->o.disk, "disk", &room, err) : qz_disk_free(v->o.output, &room, err);
    if (st == QZ_OK) st = find_misfits(v, &a, &bad, err);
    bad.any |= v->o.json; /* disk and memory are reasons too */
    if (st == QZ_OK) st = open_table(v, &t, &a, cols, sizeof cols / sizeof cols[0], &bad, err);
    for (size_t i = 0; i < v->n_levels && st == QZ_OK; i++) {
        qz_job j;
        char time[32];
        const char *name = qz_level_get(v->levels[i])->name;
        if (!v->shape->runs) {
            st = qz_fail(err, QZ_EUNSUPPORTED,
                         "this program plans models of type '%s' and makes no artifact of them: other tools do; leave "
                         "--job out for their memory",
                         v->shape->model_type);
            break;
        }
        if (qz_level_scheme(v->levels[i]) == NULL) {
            if (v->n_levels == 1)
                st = qz_fail(err, QZ_EUSAGE,
                             "this program does not write '%s': 'quantz quantize --help' lists what it writes", name);
            else qz_str_printf(&unwritten, "%s%s", unwritten.len ? ", " : "", name);
            continue;
        }
        if (!bad.why[i] || v->n_levels == 1)
            QZ_GOTO(qz_job_plan(v->shape, v->levels[i], v->o.samples, v->o.seq_len, threads, &j, err));
        if (!bad.why[i]) QZ_GOTO(hinder(v, &j, room, ram, &a, &bad.why[i], err));
        if (bad.why[i]) {
            QZ_GOTO(say_misfit(v, &t, i, bad.why[i], err));
            continue;
        }
        duration(j.seconds, time);
        QZ_GOTO(qz_table_row(&t, err));
        QZ_GOTO(qz_table_set(&t, 0, err, "%s", name));
        QZ_GOTO(qz_table_set(&t, 1, err, "%.*f", v->o.json ? 9 : 2, gb(j.source_bytes)));
        QZ_GOTO(qz_table_set(&t, 2, err, "%.*f", v->o.json ? 9 : 2, gb(j.output_bytes)));
        QZ_GOTO(qz_table_set(&t, 3, err, "%.*f", v->o.json ? 9 : 2, gb(j.peak_disk)));
        QZ_GOTO(qz_table_set(&t, 4, err, "%.*f", v->o.json ? 9 : 2, gb(j.peak_ram)));
        if (v->o.json) QZ_GOTO(qz_table_set(&t, 5, err, "%.9g", j.seconds));
        else QZ_GOTO(qz_table_set(&t, 5, err, "%s", time));
        if (j.calibrates)
            QZ_GOTO(qz_table_set(&t, 6, err, "%llu x %llu", (unsigned long long)v->o.samples,
                                 (unsigned long long)v->o.seq_len));
        else QZ_GOTO(qz_table_set(&t, 6, err, "none needed"));
        QZ_GOTO(qz_table_set(&t, 7, err, "%s", j.bound));
    }
    if (st == QZ_OK && !v->o.json)
        qz_fit_printf(out, 2, "making one artifact of %s here: %llu thread%s, %.2f GB free disk, %.2f GB memory",
                      v->shape->name, (unsigned long long)threads, threads == 1 ? "" : "s", gb(room), gb(ram));
    if (st == QZ_OK && v->o.json) {
        json_begin(v, &w, out);
        qz_jw_count(&w, "threads", threads);
        qz_jw_count(&w, "free_disk_bytes", room);
        qz_jw_count(&w, "memory_bytes", ram);
        qz_jw_text(&w, "not_written", unwritten.ptr ? unwritten.ptr : "");
        json_end(&w, &t);
    } else if (st == QZ_OK) {
        emit(&t, false, out);
        explain_misfits(v, &bad, false, out);
    }
    if (st == QZ_OK && !v->o.json && unwritten.len)
        qz_fit_printf(out, 2, "not written by this program: %s", unwritten.ptr);
    if (st == QZ_OK && !v->o.json)
        qz_fit_line(out,
                    "Disk: new files at the worst moment (output, statistics). Time: rough, from docs/benchmarks.md; "
                    "bound: what takes most of it.",
                    2);
out:
    qz_str_release(&unwritten);
    qz_arena_release(&a);
    return st;
}

qz_status qz_plan_print_shapes(bool json, qz_str *out, qz_error *err) {
    static const qz_column cols[] = {{"Shape", 'l'},      {"Billion", 'r'}, {"Active", 'r'}, {"Layers", 'r'},
                                     {"KV B/token", 'r'}, {"Context", 'r'}, {"Source", 'l'}};
    qz_arena a = {0};
    qz_table t;
    qz_status st = qz_table_init(&t, &a, NULL, cols, json ? 7 : 6, err);
    const qz_shape_row *r;
    for (size_t i = 0; st == QZ_OK && (r = qz_shape_row_at(i)) != NULL; i++) {
        qz_shape *s = NULL;
        qz_kv_plan_result k;
        QZ_GOTO(qz_shape_builtin(r->name, &s, err));
        st = qz_kv_plan(s, (qz_kv_types){QZ_KV_F16, QZ_KV_F16}, 1, 1, &k, err);
        if (st == QZ_OK) st = qz_table_row(&t, err);
        if (st == QZ_OK) st = qz_table_set(&t, 0, err, "%s", s->name);
        if (st == QZ_OK) st = qz_table_set(&t, 1, err, "%.*f", json ? 9 : 3, (double)s->params / 1e9);
        if (st == QZ_OK) st = qz_table_set(&t, 2, err, "%.*f", json ? 9 : 3, (double)s->active_params / 1e9);
        if (st == QZ_OK) st = qz_table_set(&t, 3, err, "%llu", (unsigned long long)s->layers);
        if (st == QZ_OK) st = qz_table_set(&t, 4, err, "%llu", (unsigned long long)k.per_token);
        if (st == QZ_OK) st = qz_table_set(&t, 5, err, "%llu", (unsigned long long)s->max_position);
        if (st == QZ_OK && json) st = qz_table_set(&t, 6, err, "%s", r->source);
        qz_shape_free(s);
    }
    if (st == QZ_OK) emit(&t, json, out);
    if (st == QZ_OK && !json)
        qz_fit_printf(out, 2, "Billions of weights; KV: bytes a token in 16 bits. Source of a shape: --json.");
out:
    qz_arena_release(&a);
    return st;
}

qz_status qz_plan_print_hardware(const qz_hardware_set *set, bool json, qz_str *out, qz_error *err) {
    static const qz_column cols[] = {{"Device", 'l'}, {"Visible MiB", 'r'}, {"GB", 'r'}, {"GB/s", 'r'},
                                     {"TFLOPS 16", 'r'}, {"TFLOPS 8", 'r'}, {"cc", 'r'}, {"Native types", 'l'},
                                     {"Date", 'l'}, {"Source", 'l'}};
    qz_arena a = {0};
    qz_table t;
    qz_status st = qz_table_init(&t, &a, NULL, cols, json ? 10 : 8, err);
    for (size_t i = 0; i < set->n && st == QZ_OK; i++) {
        const qz_hardware *h = &set->rows[i];
        QZ_GOTO(qz_table_row(&t, err));
        QZ_GOTO(qz_table_set(&t, 0, err, "%s", h->name));
        QZ_GOTO(qz_table_set(&t, 1, err, "%.0f", h->visible_mib));
        QZ_GOTO(qz_table_set(&t, 2, err, "%.*f", json ? 9 : 2, gb(qz_hardware_bytes(h))));
        QZ_GOTO(qz_table_set(&t, 3, err, "%.1f", h->bandwidth_gbps));
        if (h->tflops > 0) QZ_GOTO(qz_table_set(&t, 4, err, "%.1f", h->tflops));
        if (h->tflops8 > 0) QZ_GOTO(qz_table_set(&t, 5, err, "%.1f", h->tflops8));
        if (h->capability) QZ_GOTO(qz_table_set(&t, 6, err, "%d.%d", h->capability / 10, h->capability % 10));
        QZ_GOTO(qz_table_set(&t, 7, err, "%s", h->native));
        if (!json) continue;
        QZ_GOTO(qz_table_set(&t, 8, err, "%s", h->date));
        QZ_GOTO(qz_table_set(&t, 9, err, "%s", h->source));
    }
    if (st == QZ_OK) emit(&t, json, out);
    if (st == QZ_OK && !json) {
        qz_fit_printf(out, 2, "TFLOPS: dense products in 16 and in 8 bits, where there are some and they are known.");
        qz_fit_printf(out, 2, "Visible: what a program can allocate from (Macs: the default wired limit).");
        qz_fit_printf(out, 2, "Date and source of a row: --json.");
    }
out:
    qz_arena_release(&a);
    return st;
}
