/* The matcher over pick.def, and the arithmetic that its memory conditions ask for. */
#include "deploy/pick.h"
#include "base/size.h"
#include "base/str.h"
#include "deploy/check.h"
#include "deploy/format_names.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define QZ_PICK_WORDS
#define QZ_PICK_WORKLOAD(id, name) WORKLOAD_##id,
#define QZ_PICK_TOLERANCE(id, name)
#define QZ_PICK_BUDGET(...)
enum {
#include "deploy/pick.def"
    N_WORKLOADS
};
#define QZ_PICK_WORKLOAD(id, name)
#define QZ_PICK_TOLERANCE(id, name) TOLERANCE_##id,
#define QZ_PICK_BUDGET(...)
enum {
#include "deploy/pick.def"
    N_TOLERANCES
};
#define QZ_PICK_WORKLOAD(id, name)
#define QZ_PICK_TOLERANCE(id, name)
#define QZ_PICK_BUDGET(id, ...) HARDWARE_##id,
enum {
#include "deploy/pick.def"
    N_HARDWARE
};
static const char *const workloads[] = {
#define QZ_PICK_WORKLOAD(id, name) name,
#define QZ_PICK_TOLERANCE(id, name)
#define QZ_PICK_BUDGET(...)
#include "deploy/pick.def"
};
static const char *const tolerances[] = {
#define QZ_PICK_WORKLOAD(id, name)
#define QZ_PICK_TOLERANCE(id, name) name,
#define QZ_PICK_BUDGET(...)
#include "deploy/pick.def"
};
typedef struct { double share, bytes; qz_runtime engine; const char *why; } budget;
static const budget budgets[] = {
#define QZ_PICK_WORKLOAD(id, name)
#define QZ_PICK_TOLERANCE(id, name)
#define QZ_PICK_BUDGET(id, share, bytes, engine, why) {share, bytes, QZ_RUNTIME_##engine, why},
#include "deploy/pick.def"
};
#undef QZ_PICK_WORDS
static const qz_pick_row rows[] = {
#define QZ_PICK(...) {__VA_ARGS__},
#include "deploy/pick.def"
#undef QZ_PICK
};
enum { N_ROWS = sizeof rows / sizeof rows[0], HANDBOOK_USERS = 64 };

const qz_pick_row *qz_pick_row_at(size_t i) { return i < N_ROWS ? &rows[i] : NULL; }
const char *qz_pick_tolerance(size_t i) { return i < N_TOLERANCES ? tolerances[i] : NULL; }

typedef struct {
    const qz_pick_query *q;
    qz_pick_answer *out;
    qz_arena *arena;
    qz_error *err;
    unsigned hardware, workload, tolerance; /* numbers of the words */
    qz_runtime engine;
    bool given, small_card;                 /* engine given */
    const char *instead;                    /* level that is tried in place of the rules' */
    qz_runtime other;                       /* engine likewise; QZ_RUNTIME_NONE: none */
    const char *chosen, *kv;                /* level name ("released" too), KV name; NULL = not yet */
    double load, kv_over;
} picking;

static unsigned hardware_class(const qz_hardware *h) {
    if (strcmp(h->kind, "mac") == 0) return HARDWARE_MAC;
    if (strcmp(h->kind, "gpu") != 0) return HARDWARE_CPU;
    return strcmp(h->vendor, "nvidia") == 0 ? HARDWARE_NVIDIA
           : strcmp(h->vendor, "amd") == 0  ? HARDWARE_AMD
                                            : HARDWARE_OTHER;
}
static bool is_card(unsigned hardware) {
    return hardware == HARDWARE_NVIDIA || hardware == HARDWARE_AMD || hardware == HARDWARE_OTHER;
}

void qz_pick_budget(const qz_hardware *h, qz_runtime engine, double percent, double *reserve, double *overhead) {
    *reserve = percent / 100;
    *overhead = 0;
    if (percent >= 0) return;
    const unsigned hardware = hardware_class(h);
    const budget *b = &budgets[is_card(hardware) && qz_runtime_is_llama(engine) ? HARDWARE_OTHER : hardware];
    *reserve = b->share;
    *overhead = b->bytes;
}

/* Consumer cards of AMD have no engine but llama.cpp that is known to run there. */
qz_runtime qz_pick_usual_engine(const qz_hardware *h) {
    const unsigned hardware = hardware_class(h);
    return hardware == HARDWARE_AMD && !qz_hardware_native(h, "fp8") ? QZ_RUNTIME_LLAMA_CPP : budgets[hardware].engine;
}

uint64_t qz_pick_system_usable(uint64_t bytes) { /* as a CPU's row */
    const budget *b = &budgets[HARDWARE_CPU];
    const double usable = (double)bytes * (1 - b->share) - b->bytes;
    return usable > 0 ? (uint64_t)usable : 0;
}

static qz_deploy stored_kind(const picking *j) {
    qz_deploy_spec s;
    if (j->q->stored) return j->q->stored->kind;
    qz_check_stored(j->q->shape->released, &s);
    return s.kind;
}

static void set_budget(picking *j) {
    qz_pick_budget(j->q->hardware, j->engine, j->q->reserve, &j->out->reserve, &j->out->overhead);
}

static qz_memory_query query(const picking *j, qz_level level, qz_kv_type kv, uint64_t users) {
    return (qz_memory_query){.shape = j->q->shape, .level = level, .imatrix = true, .kv = {kv, kv}, .users = users,
                             .ctx = j->out->ctx, .capacity = j->out->capacity,
                             .reserve = j->out->reserve, .overhead = (uint64_t)j->out->overhead,
                             .devices = j->out->gpus};
}

/* As released: of the file, else of the shape. */
static uint64_t released_bytes(const picking *j) {
    return j->q->weight_bytes ? j->q->weight_bytes : qz_released_bytes(j->q->shape);
}

/* What "LEVEL/KV[*1]" of a row asks about; *open: the level is not chosen yet, or its size is not known. */
static qz_status query_of(const picking *j, const char *text, qz_memory_query *q, bool *open) {
    char level_name[48];
    const char *slash = strchr(text, '/'), *star = strchr(text, '*');
    qz_level level;
    qz_kv_types kv;
    (void)snprintf(level_name, sizeof level_name, "%.*s", (int)(slash - text), text);
    const char *name = strcmp(level_name, "$") == 0 ? j->chosen : level_name;
    char kv_name[16];
    const size_t kv_n = strcspn(slash + 1, "* ");
    (void)snprintf(kv_name, sizeof kv_name, "%.*s", (int)kv_n, slash + 1);
    bool released = name && strcmp(name, "released") == 0;
    *open = name == NULL ||
            (released && qz_level_of_release(j->q->shape->released) == QZ_LEVEL_COUNT && j->q->weight_bytes == 0);
    if (*open) return QZ_OK;
    if (released) level = qz_level_of_release(j->q->shape->released);
    else QZ_TRY(qz_level_parse(name, &level, j->err));
    QZ_TRY(qz_kv_types_parse(strcmp(kv_name, "$") == 0 ? j->kv : kv_name, &kv, j->err));
    *q = query(j, level, kv.k, star ? 1 : j->out->users);
    q->weight_bytes = released ? released_bytes(j) : 0;
    return QZ_OK;
}

/* "LEVEL/KV[*1]" against the budget. */
static qz_status fits(const picking *j, const char *text, bool *yes) {
    qz_memory_query q;
    qz_memory m;
    bool open;
    QZ_TRY(query_of(j, text, &q, &open));
    if (open) return *yes = true, QZ_OK;
    qz_error inner = {0};
    qz_status st = qz_memory_plan(&q, &m, &inner);
    if (st == QZ_EMEMORY) return qz_fail(j->err, st, "%s", inner.text);
    *yes = st == QZ_OK && m.fits; /* a level or cache that the shape cannot have does not fit */
    return QZ_OK;
}

/* Do operations bind the products with those weights? */
static qz_status operations_bind(const picking *j, const char *text, bool *yes) {
    const qz_hardware *h = j->q->hardware;
    qz_memory_query q;
    qz_roofline f;
    bool open;
    *yes = j->out->users >= HANDBOOK_USERS;
    QZ_TRY(query_of(j, text, &q, &open));
    if (open || h->bandwidth_gbps <= 0 || h->tflops <= 0) return QZ_OK;
    *yes = qz_roofline_decode(&q, h, 0, &f, &(qz_error){0}) == QZ_OK && strcmp(f.bound, "operations") == 0;
    return QZ_OK;
}

/* "A B": by the model that `plan --speed` prints. Unknown figures hinder nobody. */
static qz_status as_fast(const picking *j, const char *text, bool *yes) {
    const double margin = 1.05;
    const char *second = strchr(text, ' ') + 1;
    qz_memory_query a, b;
    qz_roofline fa, fb;
    bool open;
    *yes = true;
    QZ_TRY(query_of(j, text, &a, &open));
    if (!open) QZ_TRY(query_of(j, second, &b, &open));
    if (open || j->q->hardware->bandwidth_gbps <= 0) return QZ_OK;
    *yes = qz_roofline_decode(&a, j->q->hardware, 0, &fa, &(qz_error){0}) == QZ_OK &&
           qz_roofline_decode(&b, j->q->hardware, 0, &fb, &(qz_error){0}) == QZ_OK &&
           fa.step_s <= margin * fb.step_s;
    return QZ_OK;
}

static bool begins(const char *list, const char *name) {
    for (qz_piece p; name && qz_list_next(&list, &p);)
        if (strncmp(name, p.at, p.n) == 0) return true;
    return false;
}
static bool flag_holds(int want, bool is) { return want == 0 || (want > 0) == is; }

static bool words_hold(const picking *j, const qz_pick_row *r) {
    const qz_pick_query *q = j->q;
    const unsigned cc = q->hardware->capability > 0 ? (unsigned)q->hardware->capability : 0;
    const double billions = (double)q->shape->params / 1e9;
    if (r->hardware && !(r->hardware & 1u << j->hardware)) return false;
    if (r->engines && !(j->engine < QZ_RUNTIME_COUNT && r->engines & 1u << j->engine)) return false;
    if (r->workloads && !(r->workloads & 1u << j->workload)) return false;
    if (r->tolerances && !(r->tolerances & 1u << j->tolerance)) return false;
    if ((r->cc_min || r->cc_max) && (cc == 0 || cc < r->cc_min || (r->cc_max && cc > r->cc_max))) return false;
    if (r->native && !qz_hardware_native(q->hardware, r->native)) return false;
    if (r->lacks && qz_hardware_native(q->hardware, r->lacks)) return false;
    if (j->out->users < r->users_min || (r->users_max && j->out->users > r->users_max) ||
        j->out->loras < r->loras_min || j->out->ctx < r->ctx_min)
        return false;
    if (billions < r->billions_min || (r->billions_max > 0 && billions >= r->billions_max)) return false;
    if (r->kinds && !(r->kinds & 1u << stored_kind(j))) return false;
    return flag_holds(r->released, q->shape->released[0] != 0) && flag_holds(r->given, j->given) &&
           flag_holds(r->beyond, j->out->ctx > q->shape->max_position) &&
           flag_holds(r->adapter, j->out->loras > 0 || j->workload == WORKLOAD_ADAPTERS) &&
           flag_holds(r->detected, q->detected) && flag_holds(r->gpus, j->out->gpus > 1) &&
           (r->topic == QZ_PICK_FORMAT || flag_holds(r->offloaded, j->out->offloaded));
}

static qz_status options_of(const picking *j, qz_level level, const char *kv, qz_check_options *o);

/* An error of `check` that no format changes. */
static qz_status finds(const picking *j, const char *code, bool *yes) {
    qz_check_options o;
    qz_findings f = {.arena = j->arena};
    QZ_TRY(options_of(j, QZ_LEVEL_COUNT, NULL, &o));
    QZ_TRY(qz_pick_judge(j->q, &o, j->q->hardware, j->arena, &f, j->err));
    *yes = qz_findings_has(&f, code);
    return QZ_OK;
}

static qz_status holds(const picking *j, const qz_pick_row *r, bool *yes) {
    *yes = words_hold(j, r) && (r->format == NULL || begins(r->format, j->chosen)) &&
           (r->kv == NULL || begins(r->kv, j->kv)) && j->load >= r->load_min && j->kv_over >= r->kv_over;
    if (*yes && r->finds) QZ_TRY(finds(j, r->finds, yes));
    if (*yes && r->fits) QZ_TRY(fits(j, r->fits, yes));
    if (*yes && r->fails) {
        QZ_TRY(fits(j, r->fails, yes));
        *yes = !*yes;
    }
    if (*yes && r->operations) QZ_TRY(operations_bind(j, r->operations, yes));
    return *yes && r->as_fast ? as_fast(j, r->as_fast, yes) : QZ_OK;
}

static qz_status first(const picking *j, qz_pick_topic topic, const qz_pick_row **out) {
    *out = NULL;
    for (size_t i = 0; i < N_ROWS && *out == NULL; i++) {
        bool yes;
        if (rows[i].topic != topic) continue;
        QZ_TRY(holds(j, &rows[i], &yes));
        if (yes) *out = &rows[i];
    }
    return QZ_OK;
}

static qz_status note(const picking *j, const char *code, const char *rule, const char *source, const char *text) {
    qz_pick_answer *o = j->out;
    if (o->notes == NULL) o->notes = qz_arena_calloc(j->arena, N_ROWS + 1, sizeof *o->notes);
    if (o->notes == NULL || text == NULL) return qz_fail(j->err, QZ_EMEMORY, "out of memory");
    o->notes[o->n_notes++] = (qz_pick_note){code, rule, text, source};
    return QZ_OK;
}

/* ---- words and defaults ---- */
static qz_status word(const char *text, const char *const *known, unsigned n, const char *what, unsigned *out,
                      qz_error *err) {
    qz_near near = {.word = text};
    for (unsigned i = 0; i < n; i++) {
        if (strcasecmp(known[i], text) == 0) return *out = i, QZ_OK;
        (void)qz_near_see(&near, known[i]);
    }
    qz_str all = {0};
    for (unsigned i = 0; i < n; i++) qz_str_printf(&all, "%s%s", i ? ", " : "", known[i]);
    qz_status st = qz_fail(err, QZ_EUSAGE, "unknown %s '%s': nearest known is '%s'; known are %s", what, text,
                           near.best, all.ptr ? all.ptr : "");
    qz_str_release(&all);
    return st;
}

static qz_status begin(picking *j) {
    const qz_pick_query *q = j->q;
    qz_pick_answer *o = j->out;
    *o = (qz_pick_answer){.level = QZ_LEVEL_COUNT, .kv_type = QZ_KV_TYPE_COUNT, .users = q->users ? q->users : 1,
                          .loras = q->loras, .gpus = q->gpus ? q->gpus : 1};
    o->ctx = q->ctx ? q->ctx : qz_shape_default_ctx(q->shape);
    o->flags.arena = j->arena;
    QZ_TRY(word(q->workload ? q->workload : "chat", workloads, N_WORKLOADS, "workload", &j->workload, j->err));
    QZ_TRY(
        word(q->tolerance ? q->tolerance : "balanced", tolerances, N_TOLERANCES, "tolerance", &j->tolerance, j->err));
    o->workload = workloads[j->workload];
    o->tolerance = tolerances[j->tolerance];
    o->capacity = qz_hardware_bytes(q->hardware);
    if (o->capacity == 0)
        return qz_fail(j->err, QZ_EUSAGE,
                       "the memory of '%s' is not known: give --memory SIZE, for example --memory 24GB",
                       q->hardware->name);
    o->float_bytes = 2 * q->shape->params;
    j->hardware = hardware_class(q->hardware);
    j->given = q->engine != QZ_RUNTIME_NONE;
    j->engine = j->given ? q->engine : qz_pick_usual_engine(q->hardware);
    if (j->other != QZ_RUNTIME_NONE) j->engine = j->other;
    set_budget(j);
    return QZ_OK;
}

/* ---- format ---- */
/* Below capability 8.0 there is no bfloat16: floats are run in float16 there. */
static const char *float_dtype(const picking *j, qz_level level) {
    const int cc = j->q->hardware->capability;
    const bool stored = level == QZ_LEVEL_COUNT && strcmp(j->q->shape->released, "gguf") != 0; /* GGUF says its own */
    return (level == QZ_LEVEL_BF16 || stored) && cc > 0 && cc < 80 ? "float16" : NULL;
}

static const char *number(const picking *j, uint64_t n) {
    return qz_arena_printf(j->arena, "%llu", (unsigned long long)n);
}

/* The options of `check` that judge a level with a cache; level QZ_LEVEL_COUNT: as it is stored. */
static qz_status options_of(const picking *j, qz_level level, const char *kv, qz_check_options *o) {
    const qz_pick_query *q = j->q;
    const qz_pick_answer *p = j->out;
    const bool stored = level == QZ_LEVEL_COUNT || level == QZ_LEVEL_BF16, cache = kv && strcmp(kv, "-") != 0,
               sized = q->asked.memory && !q->asked.hardware;
    const char *scheme = stored ? NULL : qz_level_scheme(level);
    *o = (qz_check_options){
        .to = stored ? NULL : scheme ? scheme : qz_level_get(level)->name,
        .target = {.engine = qz_runtime_get(j->engine)->name, .cc = q->asked.cc, .kv = cache ? kv : NULL,
                   .tp = p->gpus > 1 ? p->gpus : 0, .loras = p->loras},
        .hardware = q->detected ? QZ_MACHINE_HERE : sized ? NULL : q->hardware->name,
        .hardware_file = q->asked.file, .memory = q->asked.memory,
        .contexts = number(j, p->ctx), .users = number(j, p->users),
        .workload = j->workload == WORKLOAD_CHAT ? NULL : workloads[j->workload], .reserve = q->reserve,
        .dtype = float_dtype(j, level)};
    if (p->offloaded)
        o->ram = q->ram              ? q->ram
                 : q->system_bytes ? qz_arena_printf(j->arena, "%lluB", (unsigned long long)q->system_bytes)
                                   : "32GB";
    const bool room = o->contexts && o->users && (!p->offloaded || o->ram);
    return room ? QZ_OK : qz_fail(j->err, QZ_EMEMORY, "out of memory");
}

qz_status qz_pick_judge(const qz_pick_query *q, const qz_check_options *o, const qz_hardware *machine, qz_arena *arena,
                        qz_findings *out, qz_error *err) {
    qz_check_job *j = qz_calloc_array(1, sizeof *j);
    const qz_hardware bare = {.capability = q->hardware->capability, .kind = "none", .vendor = "any"};
    if (j == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    j->o = *o;
    j->f.arena = arena;
    j->shape = (qz_shape *)q->shape;
    j->dtype = q->dtype ? q->dtype : "bfloat16";
    j->weight_files = q->weight_bytes;
    j->gguf = q->stored && q->stored->kind == QZ_DEPLOY_GGUF;
    j->card = machine ? machine : &bare;
    if (q->stored) j->spec = *q->stored;
    else qz_check_stored(q->shape->released, &j->spec);
    qz_status st = qz_check_target(j, err);
    if (st == QZ_OK) st = qz_check_settle(j, err);
    if (machine == NULL) j->card = NULL;
    j->facts.artifact = false; /* what files say besides is no matter of the choice */
    if (st == QZ_OK) st = qz_check_judge(j, err);
    *out = j->f;
    qz_arena_release(&j->arena);
    qz_free(j);
    return st == QZ_OK && out->failed ? qz_fail(err, QZ_EMEMORY, "out of memory") : st;
}

/* The first of the row's levels that the engine takes in this shape; the first of all if none. */
static qz_status choose_level(picking *j, const qz_pick_row *r) {
    const char *list = strncmp(r->result, "offload:", 8) == 0 ? r->result + 8 : r->result;
    j->out->levels = list;
    for (qz_piece p; qz_list_next(&list, &p);) {
        const char *name = qz_arena_strndup(j->arena, p.at, p.n);
        qz_findings f = {.arena = j->arena};
        qz_level level;
        if (name == NULL) return qz_fail(j->err, QZ_EMEMORY, "out of memory");
        QZ_TRY(qz_level_parse(name, &level, j->err));
        qz_check_options o;
        QZ_TRY(options_of(j, level, NULL, &o));
        QZ_TRY(qz_pick_judge(j->q, &o, NULL, j->arena, &f, j->err));
        if (j->chosen && f.count[QZ_FINDING_ERROR]) continue;
        bool works = f.count[QZ_FINDING_ERROR] == 0;
        if (j->chosen == NULL || works) j->chosen = name, j->out->level = level;
        if (works) break;
    }
    return QZ_OK;
}

/* As it is released, a model runs where its format loads: the hardware's usual engine, else the first that takes it. */
static void released_engine(picking *j) {
    static const qz_runtime order[] = {QZ_RUNTIME_VLLM, QZ_RUNTIME_SGLANG, QZ_RUNTIME_LLAMA_CPP,
                                       QZ_RUNTIME_TRANSFORMERS};
    const qz_deploy kind = stored_kind(j);
    const qz_loads *usual = qz_loads_get(kind, j->engine);
    const bool card = is_card(j->hardware);
    for (size_t i = 0; (usual == NULL || usual->how != QZ_RUNS) && i < sizeof order / sizeof order[0]; i++) {
        const qz_loads *how = qz_loads_get(kind, order[i]);
        if (how == NULL || how->how != QZ_RUNS || (!card && order[i] != QZ_RUNTIME_LLAMA_CPP)) continue;
        j->engine = order[i];
        return;
    }
}

static qz_status pick_format(picking *j) {
    qz_pick_answer *o = j->out;
    const qz_pick_row *r;
    QZ_TRY(first(j, QZ_PICK_FORMAT, &r));
    if (r == NULL) {
        char label[64];
        qz_memory m;
        const qz_memory_query least = query(j, QZ_LEVEL_GGUF_Q2_K, QZ_KV_Q8_0, 1); /* what the rules' last rows try */
        o->refused = true;
        if (qz_memory_plan(&least, &m, &(qz_error){0}) == QZ_OK && !m.fits) {
            o->refusal = qz_arena_printf(j->arena,
                                         "nothing fits %s: gguf:Q2_K, the smallest that the rules know, takes %.2f GB "
                                         "of %.2f GB usable; a smaller model, or more memory",
                                         j->q->hardware->name, (double)m.total_buffers / 1e9, (double)m.usable / 1e9);
            qz_check_add(&o->flags, "PICK-ROOM", "", "nothing fits");
            return o->refusal ? QZ_OK : qz_fail(j->err, QZ_EMEMORY, "out of memory");
        }
        o->refusal = qz_arena_printf(j->arena, "no rule holds for %s on %s: which format works there is unknown%s",
                                     qz_runtime_label(j->engine, label), j->q->hardware->name,
                                     j->given ? ", or nothing fits; leave --engine out to see other ways" : "");
        return note(j, "PICK-UNKNOWN", NULL, "pick.def", "no rule holds: unknown");
    }
    if (r->engine && j->other == QZ_RUNTIME_NONE) j->engine = (qz_runtime)(r->engine - 1);
    if (strcmp(r->result, "released") == 0 && !j->given && j->other == QZ_RUNTIME_NONE) released_engine(j);
    o->offloaded = r->offloaded == 1;
    set_budget(j);
    if (strcmp(r->result, "released") == 0) j->chosen = "released";
    else if (j->instead) {
        j->chosen = j->instead;
        o->levels = r->result;
        QZ_TRY(qz_level_parse(j->instead, &o->level, j->err));
    }
    else QZ_TRY(choose_level(j, r));
    o->engine = j->engine;
    o->beside = r->beside;
    o->format = (qz_pick_line){r, j->chosen, r->claim};
    return QZ_OK;
}

/* ---- memory of the choice ---- */
static qz_status weigh_load(picking *j) {
    qz_pick_answer *o = j->out;
    qz_kv_plan_result kv, small;
    qz_memory m = {0};
    QZ_TRY(qz_kv_plan(j->q->shape, (qz_kv_types){QZ_KV_F16, QZ_KV_F16}, o->users, o->ctx, &kv, j->err));
    QZ_TRY(qz_kv_plan(j->q->shape, (qz_kv_types){QZ_KV_FP8, QZ_KV_FP8}, o->users, o->ctx, &small, j->err));
    o->kv_f16 = kv.bytes;
    o->kv_small = small.bytes;
    if (o->level == QZ_LEVEL_COUNT) return QZ_OK;
    qz_memory_query q = query(j, o->level, QZ_KV_F16, o->users);
    QZ_TRY(qz_memory_plan(&q, &m, j->err));
    const uint64_t runtime = m.buffers / o->gpus; /* what is asked is the share of weights and cache */
    j->load = m.usable > runtime ? 100.0 * (double)(m.per_device - qz_min_size(m.per_device, runtime)) /
                                       (double)(m.usable - runtime)
                                 : 0;
    j->kv_over = m.weights.bytes ? (double)kv.bytes / (double)m.weights.bytes : 0;
    return QZ_OK;
}

static qz_status pick_kv(picking *j) {
    qz_pick_answer *o = j->out;
    const qz_pick_row *r;
    QZ_TRY(weigh_load(j));
    QZ_TRY(first(j, QZ_PICK_KV, &r));
    if (r == NULL) return qz_fail(j->err, QZ_EBUG, "no KV rule holds");
    qz_kv_types t = {QZ_KV_F16, QZ_KV_F16};
    const bool none = strcmp(r->result, "-") == 0;
    if (none && j->q->kv)
        QZ_TRY(note(j, r->code, r->id, r->source,
                    "the KV cache type that was asked for is not used: training keeps none"));
    j->kv = j->q->kv && !none ? j->q->kv : r->result;
    if (strcmp(j->kv, "-") != 0) {
        QZ_TRY(qz_kv_types_parse(j->kv, &t, j->err));
        o->kv_type = t.k;
    }
    o->kv = (qz_pick_line){r, j->kv, "-"};
    return QZ_OK;
}

static qz_status measure(picking *j) {
    qz_pick_answer *o = j->out;
    const bool released = o->level == QZ_LEVEL_COUNT;
    const qz_level level = released ? qz_level_of_release(j->q->shape->released) : o->level;
    const bool cache = o->kv_type != QZ_KV_TYPE_COUNT; /* training keeps none */
    if (level == QZ_LEVEL_COUNT) return QZ_OK;
    qz_memory_query q = query(j, level, cache ? o->kv_type : QZ_KV_F16, o->users);
    if (!cache) q.ctx = 0;
    q.weight_bytes = released ? released_bytes(j) : 0;
    QZ_TRY(qz_memory_plan(&q, &o->memory, j->err));
    if (!cache) return QZ_OK;
    QZ_TRY(qz_memory_max_users(&q, &o->max_users, j->err));
    QZ_TRY(qz_memory_max_ctx(&q, &o->max_ctx, j->err));
    /* weights in system memory have that memory's speed, which the card's row does not say */
    if (!o->offloaded && level < QZ_LEVEL_COUNT && j->q->hardware->bandwidth_gbps > 0)
        QZ_TRY(qz_roofline_decode(&q, j->q->hardware, 0, &o->speed, j->err));
    if (!o->offloaded) return QZ_OK;
    const double usable = (double)o->capacity * (1 - o->reserve);
    const qz_split_query split = {j->q->shape, o->level, q.kv, o->users * o->ctx, (uint64_t)usable,
                                  (uint64_t)o->overhead};
    return qz_split_plan(&split, &o->split, j->err);
}

/* From the chosen level upwards, each with its size and whether it fits; the next one that fits is named apart. */
static qz_status pick_ladder(picking *j) {
    if (j->out->beside && strcmp(j->out->beside, j->chosen) == 0) j->out->beside = NULL;
    qz_pick_answer *o = j->out;
    const qz_pick_row *r;
    qz_str s = {0};
    bool above = false;
    QZ_TRY(first(j, QZ_PICK_LADDER, &r));
    if (r == NULL) return qz_fail(j->err, QZ_EBUG, "no ladder rule holds");
    char named[64];
    qz_str_puts(&s, o->level == QZ_LEVEL_COUNT ? j->chosen : qz_level_named(j->q->shape, o->level, named));
    bool listed = strstr(r->result, j->chosen) != NULL;
    const char *list = r->result;
    for (qz_piece p; qz_list_next(&list, &p);) {
        char name[48];
        qz_level level;
        qz_memory m;
        (void)snprintf(name, sizeof name, "%.*s", (int)p.n, p.at);
        if (qz_level_parse(name, &level, &(qz_error){0}) != QZ_OK) continue;
        if (strcmp(name, j->chosen) == 0) {
            above = true;
            continue;
        }
        qz_memory_query q = query(j, level, o->kv_type == QZ_KV_TYPE_COUNT ? QZ_KV_F16 : o->kv_type, o->users);
        if (qz_memory_plan(&q, &m, &(qz_error){0}) != QZ_OK ||
            (!above && (listed || m.weights.bytes <= o->memory.weights.bytes)))
            continue;
        qz_str_printf(&s, " -> %s (%.2f GB%s)", qz_level_named(j->q->shape, level, named),
                      (double)m.weights.bytes / 1e9, m.fits ? "" : ", does not fit");
        if (m.fits && o->larger == NULL) o->larger = qz_level_get(level)->name;
    }
    o->ladder = (qz_pick_line){r, qz_arena_strdup(j->arena, s.ptr ? s.ptr : ""), "-"};
    bool failed = s.failed || o->ladder.answer == NULL;
    qz_str_release(&s);
    return failed ? qz_fail(j->err, QZ_EMEMORY, "out of memory") : QZ_OK;
}

static qz_status pick_lists(picking *j) {
    qz_pick_answer *o = j->out;
    QZ_TRY(first(j, QZ_PICK_CALIBRATION, &o->calibration.row));
    if (o->calibration.row == NULL) return qz_fail(j->err, QZ_EBUG, "no calibration rule holds");
    o->calibration.answer = o->calibration.row->result;
    o->validation = qz_arena_calloc(j->arena, N_ROWS, sizeof *o->validation);
    if (o->validation == NULL) return qz_fail(j->err, QZ_EMEMORY, "out of memory");
    for (size_t i = 0; i < N_ROWS; i++) {
        bool yes;
        if (rows[i].topic != QZ_PICK_VALIDATION && rows[i].topic != QZ_PICK_NOTE) continue;
        QZ_TRY(holds(j, &rows[i], &yes));
        if (yes && rows[i].topic == QZ_PICK_VALIDATION) o->validation[o->n_validation++] = &rows[i];
        else if (yes) QZ_TRY(note(j, rows[i].code, rows[i].id, rows[i].source, rows[i].result));
    }
    return QZ_OK;
}

static qz_status deploy_text(picking *j) {
    qz_pick_answer *o = j->out;
    char label[64];
    const bool released = o->level == QZ_LEVEL_COUNT, cache = strcmp(j->kv, "-") != 0;
    const char *title = released   ? j->q->shape->released
                        : o->dtype ? "FP16 (the BF16 weights, run in float16)"
                                   : qz_level_get(o->level)->title;
    o->deploy = qz_arena_printf(j->arena, "%s%s%s on %s%s%s%s", released ? "as released: " : "", title,
                                released && o->dtype ? ", its floats in float16" : "",
                                qz_runtime_label(j->engine, label), o->offloaded ? ", partial offload" : "",
                                cache ? ", KV cache " : "", cache ? j->kv : "");
    return o->deploy ? QZ_OK : qz_fail(j->err, QZ_EMEMORY, "out of memory");
}

/* What the memory holds of the request's context, when the request itself is refused. */
static qz_status refusal_figures(picking *j, const qz_pick_row *refused) {
    qz_pick_answer *o = j->out;
    const bool llama = qz_runtime_is_llama(j->engine);
    qz_memory_query q = query(j, QZ_LEVEL_AWQ_G128, QZ_KV_FP8, o->users);
    if (llama) q.level = QZ_LEVEL_GGUF_Q4_K_M, q.kv = (qz_kv_types){QZ_KV_Q8_0, QZ_KV_Q8_0};
    if (qz_memory_max_ctx(&q, &o->max_ctx, &(qz_error){0}) != QZ_OK) o->max_ctx = 0;
    QZ_TRY(weigh_load(j));
    if (!refused->beyond) return note(j, refused->code, refused->id, refused->source, refused->result);
    /* what check says of the request, had it the smallest usual weights and cache */
    QZ_TRY(options_of(j, q.level, llama ? "q8_0" : "fp8", &o->check));
    return qz_pick_judge(j->q, &o->check, j->q->hardware, j->arena, &o->flags, j->err);
}

/* One answer: of the rules, or with a level and an engine in place of theirs. */
static qz_status answer(picking *j) {
    qz_pick_answer *o = j->out;
    const qz_pick_row *refused;
    QZ_TRY(begin(j));
    o->engine = j->engine;
    QZ_TRY(first(j, QZ_PICK_REFUSE, &refused));
    if (refused) {
        o->refused = true;
        o->refusal = refused->beyond ? qz_arena_printf(j->arena, "%llu tokens asked for, the model has %llu: %s",
                                                       (unsigned long long)o->ctx,
                                                       (unsigned long long)j->q->shape->max_position, refused->result)
                                     : refused->result;
        o->format = (qz_pick_line){refused, "refused", refused->claim};
        return refusal_figures(j, refused);
    }
    QZ_TRY(pick_format(j));
    if (o->refused) return QZ_OK;
    o->dtype = float_dtype(j, o->level);
    QZ_TRY(pick_kv(j));
    QZ_TRY(measure(j));
    QZ_TRY(pick_ladder(j));
    QZ_TRY(pick_lists(j));
    QZ_TRY(deploy_text(j));
    QZ_TRY(options_of(j, o->level, j->kv, &o->check));
    return qz_pick_judge(j->q, &o->check, j->q->hardware, j->arena, &o->flags, j->err);
}

bool qz_pick_objects(const qz_pick_answer *a) {
    return a->refused || a->flags.count[QZ_FINDING_ERROR] + a->flags.count[QZ_FINDING_WARN] > 0;
}

/* ---- what `check` would refuse is no answer ---- */
static const qz_finding *first_error(const qz_findings *f) {
    for (size_t i = 0; i < f->n; i++)
        if (f->rows[i].level == QZ_FINDING_ERROR) return &f->rows[i];
    return NULL;
}

/* Another level (NULL: the rules') on another engine (none: theirs); *taken if it loads and fits. */
static qz_status try_other(const picking *was, const char *level, qz_runtime engine, const char *kv, bool *taken) {
    qz_pick_query q = *was->q;
    qz_pick_answer o;
    qz_error why = {0};
    picking j = {.q = &q, .out = &o, .arena = was->arena, .err = &why, .instead = level, .other = engine};
    if (kv) q.kv = kv;
    const qz_status st = answer(&j);
    *taken = st == QZ_OK && !o.refused && first_error(&o.flags) == NULL;
    /* nobody is sent from what is refused to what is unknown */
    const qz_deploy kind = *taken && o.level < QZ_LEVEL_COUNT ? qz_deploy_of_level(j.chosen) : stored_kind(&j);
    if (*taken && engine != QZ_RUNTIME_NONE) *taken = qz_loads_get(kind, engine) != NULL;
    if (st == QZ_EMEMORY) return qz_fail(was->err, st, "%s", why.text);
    if (*taken) *was->out = o;
    return QZ_OK;
}

/* Levels behind the rule's, by what they lose; of an engine that is not given also those of others. */
static const char *const others[] = {"gptq:w4g128", "awq:w4g128", "awq:w4g64", "awq:w4g32", "gptq:w4g32", "gguf:Q4_K_M",
                                     "fp8:channel", "ct:int8", "gptq:w8g128", "gguf:Q8_0", "bf16"};
static const qz_runtime engines[] = {QZ_RUNTIME_NONE, QZ_RUNTIME_VLLM, QZ_RUNTIME_SGLANG, QZ_RUNTIME_LLAMA_CPP,
                                     QZ_RUNTIME_TRANSFORMERS};

static qz_status walk_others(const picking *was, bool released, bool *taken) {
    const size_t n = sizeof others / sizeof others[0];
    for (size_t e = 0; e < (was->given ? 1 : sizeof engines / sizeof engines[0]) && !*taken; e++) {
        if (e) QZ_TRY(try_other(was, NULL, engines[e], NULL, taken));
        if (!*taken && was->q->kv == NULL) QZ_TRY(try_other(was, NULL, engines[e], "f16", taken));
        for (size_t i = 0; i < n && !released && !*taken; i++)
            QZ_TRY(try_other(was, others[i], engines[e], NULL, taken));
    }
    return QZ_OK;
}

static qz_status avoid_errors(const picking *j) {
    const qz_pick_answer was = *j->out;
    const qz_finding *e = first_error(&was.flags);
    const char *deploy = was.deploy;
    bool taken = false, loads = true;
    if (was.refused || e == NULL) return QZ_OK;
    /* the rules have looked for what fits: a request that is too large stays so */
    for (size_t i = 0; i < was.flags.n; i++)
        loads &= was.flags.rows[i].level != QZ_FINDING_ERROR || strcmp(was.flags.rows[i].code, "CHK-KV") == 0;
    if (!loads) QZ_TRY(walk_others(j, was.level == QZ_LEVEL_COUNT, &taken));
    if (!taken) {
        j->out->refused = j->out->offer = true;
        j->out->refusal = qz_arena_printf(j->arena, "%s: %s", deploy, e->problem);
        return j->out->refusal ? QZ_OK : qz_fail(j->err, QZ_EMEMORY, "out of memory");
    }
    return note(j, "PICK-INSTEAD", NULL, e->source,
                qz_arena_printf(j->arena, "the rules say %s, which does not work: %s: %s", deploy, e->code,
                                e->problem));
}

qz_status qz_pick(const qz_pick_query *q, qz_arena *arena, qz_pick_answer *out, qz_error *err) {
    picking j = {.q = q, .out = out, .arena = arena, .err = err, .other = QZ_RUNTIME_NONE};
    QZ_TRY(answer(&j));
    return avoid_errors(&j);
}
