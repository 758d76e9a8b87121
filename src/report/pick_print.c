#include "report/pick_print.h"
#include "model/leftovers.h"
#include "base/size.h"
#include "report/findings_print.h"
#include <stdio.h>
#include <string.h>

enum { INDENT = 13, LINE = 1024 };
#define GB(x) ((double)(x) / 1e9)
static unsigned long long ull(uint64_t x) { return x; }

/* A page is a list of (heading, text) lines; the terminal and Markdown print the same ones. */
typedef struct { qz_str *s; bool markdown; const char *last; } page;
static void put(page *p, const char *heading, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void put(page *p, const char *heading, const char *fmt, ...) {
    char text[LINE];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    const bool same = p->last && strcmp(p->last, heading) == 0;
    p->last = heading;
    if (p->markdown) {
        if (!same)
            qz_str_printf(p->s, "\n## %c%s\n\n", heading[0] >= 'a' && heading[0] <= 'z' ? heading[0] - 32 : heading[0],
                          heading + 1);
        qz_str_printf(p->s, "- %s\n", text);
    } else qz_print_wrapped(p->s, same ? "" : heading, INDENT, text);
}

static void put_line(page *p, const char *heading, const qz_pick_line *l) {
    const qz_pick_row *r = l->row;
    if (r->why && *r->why) put(p, heading, "why: %s [rule %s]", r->why, r->id);
    else put(p, heading, "[rule %s]", r->id);
}

static void put_answers(page *p, const qz_pick_answer *a) {
    const char *today = a->format.row->today;
    put(p, "format", "handbooks say: %s", strcmp(a->format.source_says, "-") == 0 ? "nothing" : a->format.source_says);
    put(p, "format", "today: %s", today);
}

/* Billions of weights that the picked level holds on the card alone. */
static double whole_on_card(const qz_pick_page *x) {
    const qz_memory *m = &x->answer->memory;
    const uint64_t runtime = qz_min_size(m->usable, m->buffers / x->answer->gpus);
    return GB(m->usable - runtime) / (double)m->weights.bytes * (double)x->shape->params;
}

static void put_memory(page *p, const qz_pick_page *x) {
    const qz_pick_answer *a = x->answer;
    const qz_memory *m = &a->memory;
    if (m->total == 0) {
        if (a->level != QZ_LEVEL_COUNT) {
            qz_weighed w;
            if (qz_level_weigh(x->shape, a->level, true, NULL, &w, &(qz_error){0}) == QZ_OK)
                put(p, "memory", "%.2f GB weights (%.2f GB in 16 bits)", GB(w.bytes), GB(a->float_bytes));
        }
        return;
    }
    put(p, "memory",
        "%s%.2f GB weights + %.2f GB KV cache + %.2f GB buffers = %.2f GB%s%s (16 bits: %.2f GB weights, %.2f GB "
        "cache)",
        a->level == QZ_LEVEL_COUNT && !x->measured ? "about " : "", GB(m->weights.bytes), GB(m->kv.bytes),
        GB(m->buffers), GB(m->total_buffers), a->gpus > 1 ? ", in all" : "",
        a->offloaded ? ", card and system memory" : "", GB(a->float_bytes), GB(a->kv_f16));
    put(p, "memory", "%s%s: %.2f GB / %.2f GiB, %.0f %% kept free: %.2f GB usable, %.1f GB of it for the runtime%s",
        x->hardware->name, a->gpus > 1 ? ", all together" : "", GB(a->capacity * a->gpus),
        (double)(a->capacity * a->gpus) / 1073741824.0, 100 * a->reserve, GB(m->usable * a->gpus),
        a->overhead * (double)a->gpus / 1e9,
        m->fits        ? ""
        : a->offloaded ? ""
                       : "; the request does not fit");
    if (a->offloaded) {
        put(p, "memory",
            "%llu of %llu layers on the card (even-size estimate: %llu): %.2f GB there, %.2f GB of weights and %.2f GB "
            "of KV cache in system memory",
            ull(a->split.layers), ull(x->shape->layers), ull(a->split.even), GB(a->split.gpu_bytes),
            GB(a->split.system_bytes - a->split.system_kv), GB(a->split.system_kv));
        put(p, "memory",
            "offered first: a model of at most about %.0f billion weights, which this level holds on the card whole",
            whole_on_card(x));
        return;
    }
    if (a->kv_type == QZ_KV_TYPE_COUNT) return; /* training has no users */
    put(p, "memory",
        "largest: %llu user%s at %llu tokens, or %llu tokens for %llu user%s (the model's own limit: %llu)",
        ull(a->max_users), qz_plural(a->max_users), ull(a->ctx), ull(a->max_ctx), ull(a->users),
        a->users == 1 ? "" : "s", ull(x->shape->max_position));
}

static void put_speed(page *p, const qz_pick_page *x) {
    const qz_pick_answer *a = x->answer;
    const qz_roofline *f = &a->speed;
    char operations[96] = "operations not known";
    if (f->step_s <= 0 || a->memory.total == 0 || !a->memory.fits) return;
    if (f->tflops > 0)
        (void)snprintf(operations, sizeof operations, "operations %.2f ms (%u-bit, %g TFLOPS)", 1e3 * f->operations_s,
                       f->arithmetic, f->tflops);
    put(p, "speed", "at most %.0f tokens/s for a user, %.0f in all; a step: weights %.2f ms or %s, KV cache %.2f ms",
        f->tokens_s_user, f->tokens_s_all, 1e3 * f->weights_s, operations, 1e3 * f->kv_s);
    if (f->tflops <= 0) return;
    if (f->bound_from == 0) put(p, "speed", "bound by memory at any number of users");
    else
        put(p, "speed", "bound by %soperations from %llu user%s on ('quantz plan --speed' has every format)",
            strcmp(f->bound, "operations") == 0 ? "" : "memory; by ", ull(f->bound_from), qz_plural(f->bound_from));
}

static void put_next(void *arg, bool command, const char *text) {
    (void)command;
    put(arg, "commands", "%s", text);
}

/* A level as commands and other tools know it. */
static void put_level(const qz_pick_page *x, qz_str *s, const char *before, const char *name) {
    qz_level level;
    char named[64];
    if (name == NULL) return;
    const bool known = qz_level_parse(name, &level, &(qz_error){0}) == QZ_OK;
    qz_str_printf(s, "%s%s", before, known ? qz_level_named(x->shape, level, named) : name);
}

static void put_format(page *p, const qz_pick_page *x) {
    const qz_pick_answer *a = x->answer;
    qz_str s = {0};
    put_level(x, &s, "", a->format.answer);
    put_level(x, &s, "; benchmark beside it: ", a->beside);
    put_level(x, &s, "; the next level up fits too: ", a->larger);
    put(p, "format", "%s", s.ptr ? s.ptr : a->format.answer);
    p->s->failed |= s.failed;
    qz_str_release(&s);
}

static void put_notes(page *p, const qz_pick_answer *a) {
    for (size_t i = 0; i < a->n_notes; i++) {
        const qz_pick_note *n = &a->notes[i];
        if (!qz_findings_has(&a->flags, n->code)) /* a finding says it already */
            put(p, "notes", "%s: %s", n->code, n->text);
    }
}

static void body(const qz_pick_page *x, page *p) {
    const qz_pick_answer *a = x->answer;
    if (a->refused) put(p, "refused", "%s", a->refusal);
    if (a->refused && !a->offer && a->format.row) {
        put(p, "refused", "[rule %s]", a->format.row->id);
        put(p, "refused", "handbooks say: %s", a->format.source_says);
        put(p, "refused", "today: %s", a->format.row->today);
    }
    if (a->refused && !a->offer && a->kv_f16) {
        put(p, "memory",
            "KV cache of the request alone: %.1f GB in 16 bits, %.1f GB in 8 bits; %.2f GB / %.2f GiB capacity",
            GB(a->kv_f16), GB(a->kv_small), GB(a->capacity), (double)a->capacity / 1073741824.0);
        if (a->max_ctx)
            put(p, "memory",
                "largest context that fits with 4-bit weights and an 8-bit cache: %llu tokens; native context: %llu",
                ull(a->max_ctx), ull(x->shape->max_position));
    }
    if (a->refused && !a->offer) {
        put_notes(p, a);
        return;
    }
    put(p, a->offer ? "nearest" : "deploy", "%s", a->deploy);
    put_format(p, x);
    put_line(p, "format", &a->format);
    put_answers(p, a);
    put(p, "KV cache", "%s; %.2f GB in 16 bits, %.2f GB in 8 bits for this request", a->kv.answer, GB(a->kv_f16),
        GB(a->kv_small));
    put_line(p, "KV cache", &a->kv);
    put_memory(p, x);
    put_speed(p, x);
    put(p, "calibration", "%s", a->calibration.answer);
    put(p, "calibration", "[rule %s]", a->calibration.row->id);
    for (size_t i = 0; i < a->n_validation; i++)
        put(p, "validation", "%zu. %s [rule %s]", i + 1, a->validation[i]->result, a->validation[i]->id);
    put(p, "fallback", "%s", a->ladder.answer);
    put_line(p, "fallback", &a->ladder);
    put_notes(p, a);
    qz_pick_next(x, put_next, p);
}

static void head(const qz_pick_page *x, char out[LINE]) {
    const qz_pick_answer *a = x->answer;
    (void)snprintf(out, LINE, "%s (%s, %.2f billion weights) on %llu x %s: %s, %s, %llu user%s x %llu tokens%s",
                   x->input, x->shape->model_type, (double)x->shape->params / 1e9, ull(a->gpus), x->hardware->name,
                   a->workload, a->tolerance, ull(a->users), a->users == 1 ? "" : "s", ull(a->ctx),
                   a->loras ? ", with LoRA adapters" : "");
}

void qz_pick_text(const qz_pick_page *x, qz_str *s) {
    char title[LINE];
    page p = {s, false, NULL};
    head(x, title);
    qz_print_wrapped(s, "", 0, title);
    body(x, &p);
    qz_print_findings(s, &x->answer->flags);
}

void qz_pick_markdown(const qz_pick_page *x, qz_str *s) {
    char title[LINE];
    page p = {s, true, NULL};
    const qz_findings *f = &x->answer->flags;
    head(x, title);
    qz_str_printf(s, "# Deployment choice\n\n%s\n", title);
    body(x, &p);
    if (f->n) qz_str_puts(s, "\n## Findings\n\n| level | code | finding | what to do |\n|---|---|---|---|\n");
    for (size_t i = 0; i < f->n; i++)
        qz_str_printf(s, "| %s | %s | %s | %s |\n", qz_finding_level_name(f->rows[i].level), f->rows[i].code,
                      f->rows[i].problem, f->rows[i].fix ? f->rows[i].fix : "");
}

static void json_line(qz_json_writer *w, const char *key, const qz_pick_line *l) {
    qz_jw_open(w, key, '{');
    qz_jw_text(w, "rule", l->row->id);
    qz_jw_text(w, "why", l->row->why);
    qz_json_source(w, l->row->source);
    qz_jw_text(w, "source_says", l->row->claim);
    qz_jw_text(w, "today", l->row->today);
    qz_jw_close(w, '}');
}

static void json_memory(qz_json_writer *w, const qz_pick_page *x) {
    const qz_pick_answer *a = x->answer;
    const qz_memory *m = &a->memory;
    qz_jw_open(w, "memory", '{');
    qz_jw_count(w, "weight_bytes", m->weights.bytes);
    qz_jw_count(w, "kv_bytes", m->kv.bytes);
    qz_jw_count(w, "buffer_bytes", m->buffers);
    qz_jw_count(w, "total_bytes", m->total_buffers);
    qz_jw_count(w, "usable_bytes", m->usable * a->gpus);
    qz_jw_count(w, "capacity_bytes", a->capacity * a->gpus);
    qz_jw_real(w, "reserve_pct", 100 * a->reserve);
    qz_jw_count(w, "runtime_bytes", (uint64_t)(a->overhead * (double)a->gpus + 0.5));
    qz_jw_bool(w, "fits", m->fits && m->total);
    qz_jw_count(w, "weight_bytes_16", a->float_bytes);
    qz_jw_count(w, "kv_bytes_16", a->kv_f16);
    qz_jw_count(w, "kv_bytes_8", a->kv_small);
    qz_jw_count(w, "max_users", a->max_users);
    qz_jw_count(w, "max_ctx", a->max_ctx);
    if (a->offloaded) {
        qz_jw_count(w, "layers", x->shape->layers);
        qz_jw_count(w, "layers_on_card", a->split.layers);
        qz_jw_count(w, "layers_even_size", a->split.even);
        qz_jw_count(w, "card_bytes", a->split.gpu_bytes);
        qz_jw_count(w, "system_bytes", a->split.system_bytes);
        qz_jw_count(w, "system_weight_bytes", a->split.system_bytes - a->split.system_kv);
        qz_jw_count(w, "system_kv_bytes", a->split.system_kv);
        qz_jw_count(w, "whole_on_card_billion", (uint64_t)(whole_on_card(x) + 0.5));
    }
    qz_jw_close(w, '}');
}

static void json_speed(qz_json_writer *w, const qz_roofline *f) {
    if (f->step_s <= 0) return;
    qz_jw_open(w, "speed", '{');
    qz_jw_real(w, "tokens_per_s_user", f->tokens_s_user);
    qz_jw_real(w, "tokens_per_s_all", f->tokens_s_all);
    qz_jw_real(w, "weights_ms", 1e3 * f->weights_s);
    if (f->tflops > 0) qz_jw_real(w, "operations_ms", 1e3 * f->operations_s);
    else qz_jw_null(w, "operations_ms");
    qz_jw_real(w, "kv_ms", 1e3 * f->kv_s);
    qz_jw_text(w, "bound", f->bound);
    if (f->bound_from) qz_jw_count(w, "operations_bind_from_users", f->bound_from);
    else qz_jw_null(w, "operations_bind_from_users");
    qz_jw_real(w, "tflops", f->tflops);
    qz_jw_count(w, "arithmetic_bits", f->arithmetic);
    qz_jw_close(w, '}');
}

static void json_validation(qz_json_writer *w, const qz_pick_answer *a) {
    qz_jw_open(w, "validation", '[');
    for (size_t i = 0; i < a->n_validation; i++) qz_jw_text(w, NULL, a->validation[i]->result);
    qz_jw_close(w, ']');
    qz_jw_open(w, "validation_sources", '[');
    for (size_t i = 0; i < a->n_validation; i++) {
        qz_str kept = {0};
        qz_source_kept(a->validation[i]->source, &kept);
        qz_jw_text(w, NULL, kept.ptr);
        qz_str_release(&kept);
    }
    qz_jw_close(w, ']');
}

typedef struct { qz_json_writer *w; bool commands; } json_next;
static void json_command(void *arg, bool command, const char *text) {
    json_next *n = arg;
    if (command == n->commands) qz_jw_text(n->w, NULL, text);
}
static void json_notes(qz_json_writer *w, const qz_pick_page *x) {
    const qz_pick_answer *a = x->answer;
    qz_jw_open(w, "notes", '[');
    for (size_t i = 0; i < a->n_notes; i++) {
        qz_jw_row(w);
        qz_jw_text(w, "code", a->notes[i].code);
        qz_jw_text(w, "rule", a->notes[i].rule);
        qz_jw_text(w, "text", a->notes[i].text);
        qz_json_source(w, a->notes[i].source);
        qz_jw_close(w, '}');
    }
    qz_jw_close(w, ']');
    if (a->refused && !a->offer) return;
    qz_jw_open(w, "commands", '[');
    qz_pick_next(x, json_command, &(json_next){w, true});
    qz_jw_close(w, ']');
    qz_jw_open(w, "by_other_tools", '[');
    qz_pick_next(x, json_command, &(json_next){w, false});
    qz_jw_close(w, ']');
}

static void json_question(qz_json_writer *w, const qz_pick_page *x) {
    const qz_pick_answer *a = x->answer;
    qz_jw_text(w, "input", x->input);
    qz_jw_text(w, "model_type", x->shape->model_type);
    qz_unread_json(&x->shape->config.keys, "", w);
    qz_jw_text(w, "hardware", x->hardware->name);
    qz_jw_text(w, "hardware_date", x->hardware->date);
    qz_jw_text(w, "workload", a->workload);
    qz_jw_text(w, "tolerance", a->tolerance);
    qz_jw_count(w, "weights", x->shape->params);
    qz_jw_count(w, "native_context", x->shape->max_position);
    qz_jw_count(w, "users", a->users);
    qz_jw_count(w, "ctx", a->ctx);
    qz_jw_count(w, "loras", a->loras);
    qz_jw_count(w, "gpus", a->gpus);
}

void qz_pick_json(const qz_pick_page *x, qz_str *s) {
    const qz_pick_answer *a = x->answer;
    const qz_runtime_info *e = qz_runtime_get(a->engine);
    const char *format = a->level == QZ_LEVEL_COUNT ? "as released" : qz_level_get(a->level)->title;
    qz_json_writer w;
    qz_jw_begin(&w, s);
    json_question(&w, x);
    const bool none = a->refused && !a->offer;
    qz_jw_bool(&w, "refused", a->refused);
    qz_jw_bool(&w, "nearest", a->offer);
    qz_jw_text(&w, "refusal", a->refusal);
    qz_jw_text(&w, "deploy", a->deploy);
    qz_jw_text(&w, "format", none ? NULL : format);
    qz_jw_text(&w, "level", none ? NULL : a->format.answer);
    qz_jw_text(&w, "to", none ? NULL : a->check.to);
    qz_jw_text(&w, "beside", a->beside);
    qz_jw_text(&w, "larger", a->larger);
    qz_jw_text(&w, "kv", none ? NULL : a->kv.answer);
    qz_jw_text(&w, "engine", e ? e->name : NULL);
    qz_jw_text(&w, "engine_version", e ? e->version : NULL);
    qz_jw_text(&w, "engine_date", e ? e->date : NULL);
    qz_jw_text(&w, "calibration", a->calibration.answer);
    json_validation(&w, a);
    qz_jw_text(&w, "fallback", a->ladder.answer);
    if (a->format.row) json_line(&w, "format_rule", &a->format);
    if (a->kv.row) json_line(&w, "kv_rule", &a->kv);
    if (a->calibration.row) json_line(&w, "calibration_rule", &a->calibration);
    if (a->ladder.row) json_line(&w, "fallback_rule", &a->ladder);
    json_memory(&w, x);
    json_speed(&w, &a->speed);
    json_notes(&w, x);
    qz_json_findings(&w, "flags", &a->flags);
    qz_jw_end(&w);
}
