/* The main table of `plan` as text and JSON. */
#include "base/size.h"
#include "model/leftovers.h"
#include "report/fit.h"
#include "base/json_write.h"
#include "report/plan_view.h"
#include "report/table_print.h"
#include <stdio.h>
#include <string.h>

qz_plan_unit qz_plan_unit_of(const qz_plan_view *v) {
    return v->shape->params < 250000000 && v->base.kv.bytes < 500000000
               ? (qz_plan_unit){1e6, 1048576.0, "MB", "MiB"}
               : (qz_plan_unit){1e9, 1073741824.0, "GB", "GiB"};
}
static double gb(uint64_t b) { return (double)b / 1e9; }
static double gib(uint64_t b) { return (double)b / 1073741824.0; }

void qz_plan_attention(const qz_shape *s, qz_str *line) {
    const size_t sliding = qz_shape_layers_of(s, QZ_ATTN_SLIDING), linear = qz_shape_layers_of(s, QZ_ATTN_LINEAR);
    qz_kv_plan_result kv = {0};
    if (s->config.latent.kv_rank)
        qz_str_printf(line, "latent, %llu + %llu values a layer", (unsigned long long)s->config.latent.kv_rank,
                      (unsigned long long)s->config.latent.rope);
    else
        qz_str_printf(line, "%llu heads, %llu KV heads x %llu", (unsigned long long)s->heads,
                      (unsigned long long)s->kv_heads, (unsigned long long)s->head_dim);
    if (sliding)
        qz_str_printf(line, ", %zu layers slide over %llu tokens", sliding, (unsigned long long)s->sliding_window);
    if (linear && qz_kv_plan(s, (qz_kv_types){QZ_KV_F16, QZ_KV_F16}, 1, 1, &kv, &(qz_error){0}) == QZ_OK)
        qz_str_printf(line, ", %zu linear layer%s keep%s a state of %llu bytes a user instead of keys and values",
                      linear, qz_plural(linear), linear == 1 ? "s" : "", (unsigned long long)kv.state_bytes);
}

const char *qz_plan_tflops(const qz_hardware *h, char buf[96]) {
    char eight[32] = "";
    if (h->tflops8 > 0) (void)snprintf(eight, sizeof eight, ", %g in 8", h->tflops8);
    if (h->tflops > 0) (void)snprintf(buf, 96, "%g TFLOPS in 16 bits%s", h->tflops, eight);
    else (void)snprintf(buf, 96, "operations a second not known, memory alone");
    return buf;
}

static void head_lines(const qz_plan_view *v, qz_str *out) {
    const qz_shape *s = v->shape;
    const qz_memory *r = &v->base;
    const qz_plan_unit u = qz_plan_unit_of(v);
    qz_str line = {0};
    qz_str_printf(&line, "%s: %s, %.3f %s weights", s->name, s->model_type, (double)s->params / u.ten,
                  u.ten > 1e6 ? "billion" : "million");
    if (s->experts)
        qz_str_printf(&line, " (%.3f active: %llu of %llu experts)", (double)s->active_params / u.ten,
                      (unsigned long long)s->experts_used, (unsigned long long)s->experts);
    qz_fit_printf(out, 2, "%s, %llu layers", line.ptr ? line.ptr : "", (unsigned long long)s->layers);
    qz_str_clear(&line);
    qz_str_puts(&line, "  attention  ");
    qz_plan_attention(s, &line);
    qz_fit_printf(out, 11, "%s; native context %llu", line.ptr ? line.ptr : "", (unsigned long long)s->max_position);
    const qz_kv_type_info *k = qz_kv_type_get(v->q.kv.k), *w = qz_kv_type_get(v->q.kv.v);
    qz_fit_printf(out, 11, "  KV cache   %s%s%s, %llu user%s x %llu tokens, %llu B a token: %.2f %s / %.2f %s", k->name,
                  k == w ? "" : "/", k == w ? "" : w->name, (unsigned long long)v->q.users, v->q.users == 1 ? "" : "s",
                  (unsigned long long)v->q.ctx, (unsigned long long)r->kv.per_token, (double)r->kv.bytes / u.ten, u.gb,
                  (double)r->kv.bytes / u.two, u.gib);
    qz_fit_printf(out, 11, "  buffers    logits %llu x %llu x 4 B = %.3f %s, scratch %.3f %s",
                  (unsigned long long)s->vocab, (unsigned long long)v->q.users, (double)r->logits / u.ten, u.gb,
                  (double)r->scratch / u.ten, u.gb);
    if (v->q.capacity) {
        qz_str_clear(&line);
        qz_str_printf(&line, "  device     %s%s%.2f %s / %.2f %s", v->hw ? v->hw->name : "", v->hw ? ": " : "",
                      (double)v->q.capacity / u.ten, u.gb, (double)v->q.capacity / u.two, u.gib);
        if (v->budget) {
            qz_str_printf(&line, ", %g %% kept free", v->o.reserve);
            qz_str_printf(&line, " (as in pick and check for %s; --engine, --reserve%s change it)", v->engine,
                          v->q.overhead ? ", --overhead" : "");
        } else qz_str_printf(&line, ", %g %% reserve", v->o.reserve);
        qz_str_printf(&line, ": %.2f %s / %.2f %s usable", (double)r->usable / u.ten, u.gb,
                      (double)r->usable / u.two, u.gib);
        if (v->q.overhead) qz_str_printf(&line, ", %.2f GB of it for the runtime", gb(v->q.overhead));
        if (v->q.devices > 1) qz_str_printf(&line, " on each of %llu", (unsigned long long)v->q.devices);
        qz_fit_line(out, line.ptr ? line.ptr : "", 11);
    }
    out->failed |= line.failed;
    qz_str_release(&line);
}

static void note(qz_str *out, size_t *n, const char *text) {
    qz_str line = {0};
    if ((*n)++ == 0) qz_str_puts(out, "\nnotes:\n");
    qz_str_printf(&line, "  %s", text);
    out->failed |= line.failed;
    qz_fit_line(out, line.ptr ? line.ptr : "", 2);
    qz_str_release(&line);
}

/* What the smallest format lacks on a device; 0: it fits, or no device was asked for. */
static uint64_t shortfall(const qz_plan_view *v) {
    uint64_t least = 0;
    for (size_t i = 0; i < v->n_rows; i++)
        if (!v->rows[i].misfit && (!least || v->rows[i].m.per_device < least)) least = v->rows[i].m.per_device;
    return v->q.capacity && least > v->base.usable ? least - v->base.usable : 0;
}

/* Most users of a row under each usual KV type: "f16 52, fp8 104, …", or JSON pairs. Types that do not fit the
 * heads are left out. */
static void users_by_kv(const qz_plan_view *v, const qz_plan_row *r, qz_json_writer *w, qz_str *out) {
    static const qz_kv_type types[] = {QZ_KV_F16, QZ_KV_FP8, QZ_KV_Q8_0, QZ_KV_Q4_0};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        qz_memory_query q = v->q;
        uint64_t n = 0;
        q.level = r->level;
        q.weight_bytes = r->m.weights.bytes;
        q.kv = (qz_kv_types){types[i], types[i]};
        if (qz_memory_max_users(&q, &n, &(qz_error){0}) != QZ_OK) continue;
        if (w) qz_jw_count(w, qz_kv_type_get(types[i])->name, n);
        else
            qz_str_printf(out, "%s%s %llu", out->len ? ", " : "", qz_kv_type_get(types[i])->name,
                          (unsigned long long)n);
    }
}

/* What a reader must know beside the table. */
static void notes(const qz_plan_view *v, qz_str *out) {
    const qz_shape *s = v->shape;
    const qz_plan_row *best = NULL;
    const qz_plan_unit u = qz_plan_unit_of(v);
    size_t n = 0;
    char t[400];
    for (size_t i = 0; i < v->n_rows; i++) {
        const qz_plan_row *r = &v->rows[i];
        if (r->misfit) {
            (void)snprintf(t, sizeof t, "%s: %s", r->label, r->misfit);
            note(out, &n, t);
            continue;
        }
        if (r->m.fits && v->q.capacity && (!best || r->m.weights.bytes > best->m.weights.bytes)) best = r;
        if (r->m.weights.n_substituted) {
            (void)
                snprintf(t, sizeof t,
                         "%s: %zu tensor%s, %.1f %% of the weights, get another type: rows do not divide by the block",
                         r->label, r->m.weights.n_substituted, r->m.weights.n_substituted == 1 ? "" : "s",
                         100 * (double)r->m.weights.substituted / (double)s->params);
            note(out, &n, t);
        }
    }
    if (v->q.capacity) {
        if (best)
            (void)snprintf(t, sizeof t, "largest that fits: %s, %.2f %s room", best->label,
                           (double)best->m.room / u.ten, u.gb);
        else
            (void)snprintf(t, sizeof t,
                           "none fits: the smallest lacks %.2f GB; quantize the KV cache, take fewer users or tokens, "
                           "more devices, or --offload",
                           gb(shortfall(v)));
        note(out, &n, t);
        if (best) {
            qz_str by = {0};
            users_by_kv(v, best, NULL, &by);
            (void)snprintf(t, sizeof t, "users at %llu tokens with %s, by KV cache: %s", (unsigned long long)v->q.ctx,
                           best->label, by.ptr ? by.ptr : "");
            note(out, &n, t);
            qz_str_release(&by);
        }
    }
    if (v->q.ctx > s->max_position && s->max_position) {
        (void)snprintf(t, sizeof t, "a context of %llu is beyond the model's own %llu tokens",
                       (unsigned long long)v->q.ctx, (unsigned long long)s->max_position);
        note(out, &n, t);
    }
    if (v->base.kv.without_windows != v->base.kv.bytes) {
        (void)snprintf(t, sizeof t,
                       "KV would be %.2f GB / %.2f GiB if the windows were ignored: engines that do so need that much",
                       gb(v->base.kv.without_windows), gib(v->base.kv.without_windows));
        note(out, &n, t);
        /* what calculators take that do not read head_dim */
        const uint64_t guess = s->heads ? s->hidden / s->heads : 0;
        if (v->base.kv.guessed_head_dim > v->base.kv.without_windows && guess != s->head_dim) {
            (void)snprintf(t, sizeof t,
                           "and %.2f GB / %.2f GiB if head_dim were guessed as hidden/heads = %llu besides",
                           gb(v->base.kv.guessed_head_dim), gib(v->base.kv.guessed_head_dim),
                           (unsigned long long)guess);
            note(out, &n, t);
        }
    }
    const qz_plan_row *light = NULL;
    for (size_t i = 0; i < v->n_rows; i++)
        if (!v->rows[i].misfit && (!light || v->rows[i].m.crossover < light->m.crossover)) light = &v->rows[i];
    if (light && light->m.crossover && v->q.users * v->q.ctx > light->m.crossover) {
        (void)snprintf(t, sizeof t, "the KV cache outweighs the weights of %s from %llu tokens on (all users together)",
                       light->label, (unsigned long long)light->m.crossover);
        note(out, &n, t);
    }
    if (*s->released) {
        (void)snprintf(t, sizeof t, "released quantized (%s): serve it as it is", s->released);
        note(out, &n, t);
    }
    if (v->opened) {
        (void)snprintf(t, sizeof t,
                       "this program runs it in %.2f MB / %.2f MiB resident at %llu tokens, %zu threads: %.2f MB file, "
                       "%.2f MB packed, %.2f MB KV (float16), %.2f MB buffers",
                       (double)v->resident.total / 1e6, (double)v->resident.total / 1048576.0,
                       (unsigned long long)v->q.ctx, v->threads, (double)v->resident.mapped / 1e6,
                       (double)(v->resident.packed + v->resident.unpacked) / 1e6, (double)v->resident.kv / 1e6,
                       (double)(v->resident.total - v->resident.mapped - v->resident.packed - v->resident.unpacked -
                                v->resident.kv) /
                           1e6);
        note(out, &n, t);
    }
    if (!s->runs) note(out, &n, "memory only: this program neither quantizes nor runs this family yet");
}

/* "*": the reference refuses the level without an importance matrix. */
qz_status qz_plan_print_main(const qz_plan_view *v, qz_str *out, qz_error *err) {
    const qz_plan_unit u = qz_plan_unit_of(v);
    bool small = u.ten < 1e9;
    const qz_column cols[] = {{"Format", 'l'},
                              {"bits/w", 'r'},
                              {small ? "Weights MB" : "Weights GB", 'r'},
                              {small ? "Total MB" : "Total GB", 'r'},
                              {small ? "Total MiB" : "Total GiB", 'r'},
                              {small ? "Room MB" : "Room GB", 'r'},
                              {"Users", 'r'},
                              {"Context", 'r'}};
    const qz_column exact_cols[] = {cols[0], cols[1], cols[2], cols[3], {"Weight bytes", 'r'}, {"File bytes", 'r'}};
    bool exact = v->o.exact, imatrix = false, vocabulary = true;
    qz_arena a = {0};
    qz_table t;
    head_lines(v, out);
    qz_str_putc(out, '\n');
    qz_status st = exact ? qz_table_init(&t, &a, NULL, exact_cols, 6, err)
                         : qz_table_init(&t, &a, NULL, cols, v->q.capacity ? 8 : 5, err);
    for (size_t i = 0; i < v->n_rows && st == QZ_OK; i++) {
        const qz_plan_row *r = &v->rows[i];
        const qz_memory *m = &r->m;
        bool star = m->weights.imatrix_required && !v->q.imatrix;
        if (r->misfit) continue;
        imatrix |= star;
        QZ_GOTO(qz_table_row(&t, err));
        QZ_GOTO(qz_table_set(&t, 0, err, "%s%s", r->label, star ? " *" : ""));
        QZ_GOTO(qz_table_set(&t, 1, err, "%.4f", m->weights.bpw));
        QZ_GOTO(qz_table_set(&t, 2, err, "%.3f", (double)m->weights.bytes / u.ten));
        QZ_GOTO(qz_table_set(&t, 3, err, "%.2f", (double)m->total_buffers / u.ten));
        if (exact) {
            QZ_GOTO(qz_table_set(&t, 4, err, "%llu", (unsigned long long)m->weights.bytes));
            if (r->files.known) QZ_GOTO(qz_table_set(&t, 5, err, "%llu", (unsigned long long)r->files.file_bytes));
            vocabulary &= !r->files.known || r->files.vocabulary;
            continue;
        }
        QZ_GOTO(qz_table_set(&t, 4, err, "%.2f", (double)m->total_buffers / u.two));
        if (!v->q.capacity) continue;
        QZ_GOTO(qz_table_set(&t, 5, err, "%.2f", (double)m->room / u.ten));
        QZ_GOTO(qz_table_set(&t, 6, err, "%llu", (unsigned long long)r->max_users));
        QZ_GOTO(qz_table_set(&t, 7, err, "%llu", (unsigned long long)r->max_ctx));
    }
    if (st == QZ_OK) qz_table_text(&t, out);
    if (imatrix) qz_str_puts(out, "* the reference refuses this level without an importance matrix\n");
    if (exact)
        qz_fit_printf(out, 2,
                      "File bytes: all files this program would write%s; empty: it does not write the format yet",
                      vocabulary ? "" : ", without vocabulary (no tokenizer here)");
    else if (v->q.capacity)
        qz_fit_printf(out, 2,
                      "Total: weights, KV cache, buffers%s. Room: usable - total%s. Users: most at %llu tokens. "
                      "Context: longest for %llu user%s.",
                      v->q.overhead ? " (the runtime's share)" : "", v->q.devices > 1 ? " of one" : "",
                      (unsigned long long)v->q.ctx, (unsigned long long)v->q.users, v->q.users == 1 ? "" : "s");
    if (st == QZ_OK) notes(v, out);
out:
    qz_arena_release(&a);
    return st;
}

static void json_row(const qz_plan_view *v, const qz_plan_row *r, qz_json_writer *w) {
    const qz_memory *m = &r->m;
    qz_jw_row(w);
    qz_jw_text(w, "format", r->label);
    if (r->misfit) {
        qz_jw_text(w, "misfit", r->misfit);
        qz_jw_close(w, '}');
        return;
    }
    qz_jw_key(w, "bits_per_weight");
    qz_str_printf(w->out, "%.6f", m->weights.bpw);
    qz_jw_count(w, "weight_bytes", m->weights.bytes);
    qz_jw_count(w, "kv_bytes", m->kv.bytes);
    qz_jw_count(w, "logits_bytes", m->logits);
    qz_jw_count(w, "scratch_bytes", m->scratch);
    qz_jw_count(w, "total_bytes", m->total);
    qz_jw_count(w, "total_with_buffers_bytes", m->total_buffers);
    qz_jw_count(w, "crossover_tokens", m->crossover);
    qz_jw_count(w, "substituted_tensors", m->weights.n_substituted);
    qz_jw_count(w, "substituted_weights", m->weights.substituted);
    qz_jw_bool(w, "imatrix_required", m->weights.imatrix_required);
    if (r->files.known) {
        qz_jw_count(w, "file_bytes", r->files.file_bytes);
        qz_jw_bool(w, "vocabulary_counted", r->files.vocabulary);
    }
    if (v->q.capacity) {
        qz_jw_count(w, "per_device_bytes", m->per_device);
        qz_jw_bool(w, "fits", m->fits);
        qz_jw_int(w, "room_bytes", m->room);
        qz_jw_count(w, "max_users", r->max_users);
        qz_jw_count(w, "max_context", r->max_ctx);
        qz_jw_open(w, "users_by_kv", '{');
        users_by_kv(v, r, w, NULL);
        qz_jw_close(w, '}');
    }
    qz_jw_close(w, '}');
}

static void json_shape(const qz_shape *s, qz_json_writer *w) {
    qz_jw_text(w, "model", s->name);
    qz_jw_text(w, "family", s->model_type);
    qz_jw_bool(w, "runs_here", s->runs);
    qz_jw_count(w, "weights", s->params);
    qz_jw_count(w, "active_weights", s->active_params);
    qz_jw_count(w, "layers", s->layers);
    qz_jw_count(w, "hidden_size", s->hidden);
    qz_jw_count(w, "heads", s->heads);
    qz_jw_count(w, "kv_heads", s->kv_heads);
    qz_jw_count(w, "head_dim", s->head_dim);
    qz_jw_count(w, "vocab_size", s->vocab);
    qz_jw_count(w, "native_context", s->max_position);
    qz_jw_count(w, "experts", s->experts);
    qz_jw_count(w, "experts_used", s->experts_used);
    qz_jw_text(w, "released_as", s->released);
    qz_unread_json(&s->config.keys, "", w);
    qz_jw_count(w, "sliding_layers", qz_shape_layers_of(s, QZ_ATTN_SLIDING));
    qz_jw_count(w, "sliding_window", s->sliding_window);
    qz_jw_count(w, "linear_layers", qz_shape_layers_of(s, QZ_ATTN_LINEAR));
    qz_jw_count(w, "latent_values", s->config.latent.kv_rank);
    qz_jw_count(w, "latent_rope_values", s->config.latent.rope);
}

static void json_cache(const qz_plan_view *v, qz_json_writer *w) {
    const qz_shape *s = v->shape;
    const qz_memory *m = &v->base;
    qz_jw_count(w, "users", v->q.users);
    qz_jw_count(w, "context", v->q.ctx);
    qz_jw_text(w, "kv_type_k", qz_kv_type_get(v->q.kv.k)->name);
    qz_jw_text(w, "kv_type_v", qz_kv_type_get(v->q.kv.v)->name);
    qz_jw_count(w, "kv_bytes_per_token", m->kv.per_token);
    qz_jw_count(w, "kv_bytes", m->kv.bytes);
    qz_jw_count(w, "kv_bytes_without_windows", m->kv.without_windows);
    qz_jw_count(w, "guessed_head_dim", s->heads ? s->hidden / s->heads : 0);
    qz_jw_count(w, "kv_bytes_guessed_head_dim", m->kv.guessed_head_dim);
    qz_jw_count(w, "kv_state_bytes", m->kv.state_bytes);
}

static void json_device(const qz_plan_view *v, qz_json_writer *w) {
    const qz_resident *r = &v->resident;
    qz_jw_text(w, "device", v->hw ? v->hw->name : NULL);
    qz_jw_count(w, "devices", v->q.devices > 1 ? v->q.devices : 1);
    qz_jw_count(w, "capacity_bytes", v->q.capacity);
    qz_jw_real(w, "reserve_percent", v->o.reserve);
    qz_jw_count(w, "overhead_bytes", v->q.overhead);
    qz_jw_count(w, "usable_bytes", v->base.usable);
    qz_jw_count(w, "shortfall_bytes", shortfall(v));
    if (!v->opened) return;
    qz_jw_count(w, "engine_resident_bytes", r->total);
    qz_jw_count(w, "engine_threads", v->threads);
    qz_jw_count(w, "engine_file_bytes", r->mapped);
    qz_jw_count(w, "engine_packed_bytes", r->packed + r->unpacked);
    qz_jw_count(w, "engine_kv_bytes", r->kv);
    qz_jw_count(w, "engine_buffer_bytes", r->total - r->mapped - r->packed - r->unpacked - r->kv);
}

qz_status qz_plan_print_json(const qz_plan_view *v, qz_str *out, qz_error *err) {
    (void)err;
    qz_json_writer w;
    qz_jw_begin(&w, out);
    json_shape(v->shape, &w);
    json_cache(v, &w);
    json_device(v, &w);
    qz_jw_open(&w, "formats", '[');
    for (size_t i = 0; i < v->n_rows; i++) json_row(v, &v->rows[i], &w);
    qz_str_putc(out, '\n');
    qz_jw_close(&w, ']');
    qz_jw_end(&w);
    return QZ_OK;
}
