/* `explain launch ARTIFACT`: the lines that load it, per engine, from what the artifact is and what
 * engines.def knows. */
#include "model/leftovers.h"
#include "base/io.h"
#include "base/json.h"
#include "codecs/kv.h"
#include "codecs/types.h"
#include "base/size.h"
#include "explain/explain.h"
#include "report/fit.h"
#include "artifacts/source.h"
#include "deploy/engines.h"
#include "plan/numbers.h"
#include "deploy/check_job.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CONFIG_LIMIT = 16 << 20 };

typedef struct {
    qz_explained *x;
    const qz_source *s;
    const char *path, *word;       /* word: the path as a shell takes it */
    qz_deploy kind;
    qz_shape *shape;
    qz_machine machine;
    const qz_hardware *hardware;   /* NULL: not asked */
    json_t *config;                /* config.json of a folder, or NULL */
    qz_deploy_spec spec;
    qz_kv_types kv;
    uint64_t ctx, users;           /* as asked; 0: not */
    qz_runtime asked;              /* the only engine that is wanted, or none */
} launch;

/* The type that the artifact's own floats have, whatever codes the rest: float16 of the AWQ and GPTQ that we
 * write (C-83), that of the source in others; where the card has it (engines.md R12). GGUF's scales are float16. */
static const char *dtype_of(const launch *l) {
    const qz_type floats = l->s->model->embed->type;
    const bool old = l->hardware && l->hardware->capability > 0 && l->hardware->capability < 80;
    if (l->kind == QZ_DEPLOY_GGUF || old || floats == QZ_TYPE_F16) return "float16";
    return floats == QZ_TYPE_F32 && l->kind == QZ_DEPLOY_FLOAT ? "float32" : "bfloat16"; /* kernels of codes: 16 bits */
}

static void refuse(launch *l, const char *code) {
    if (l->x->refused++ == 0) l->x->refusal = code;
}

/* What `check` finds with the same words on this engine; true: it has an error, in its words. Its warnings of the
 * engine are said too, but for what the heading says itself. */
static qz_status judge(launch *l, qz_runtime e, bool *refused, qz_error *err) {
    static const char *const said[] = {"PRE-LOAD", "PRE-CC", "PRE-MEMORY"};
    const qz_explain_options *r = &l->x->o;
    qz_check_job *j = qz_calloc_array(1, sizeof *j);
    if (j == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    *j = (qz_check_job){.run = l->x->run, .f.arena = &l->x->arena, .root = l->config, .shape = l->shape,
                        .dtype = dtype_of(l), .spec = l->spec, .weight_files = l->s->model->file_bytes,
                        .path = l->path, .folder = l->config != NULL,
                        .gguf = l->kind == QZ_DEPLOY_GGUF, .model = l->s->model, .card = l->hardware,
                        .o = {.target = {.engine = qz_runtime_get(e)->name, .cc = r->cc, .kv = r->kv, .tp = r->tp},
                              .contexts = r->contexts, .users = r->users, .dtype = dtype_of(l), .reserve = -1}};
    qz_status st = qz_check_target(j, err);
    if (st == QZ_OK) st = qz_check_settle(j, err);
    if (st == QZ_OK) st = qz_check_stored_shape(j, err);
    j->facts.artifact = false; /* what files say besides is no matter of the line */
    if (st == QZ_OK) st = qz_check_judge(j, err);
    *refused = false;
    for (size_t i = 0; st == QZ_OK && i < j->f.n; i++) {
        const qz_finding *x = &j->f.rows[i];
        const bool error = x->level == QZ_FINDING_ERROR;
        bool skip = !error && (x->level == QZ_FINDING_NOTE || strncmp(x->code, "PRE-", 4) != 0);
        for (size_t k = 0; k < sizeof said / sizeof *said; k++) skip |= strcmp(x->code, said[k]) == 0;
        if (skip) continue;
        qz_explain_say(l->x, "  %s %s%s%s: %s; %s", error ? "refused:" : "warning:", x->code,
                       *x->subject ? ", " : "", x->subject, x->problem, x->fix ? x->fix : "");
        if (error) refuse(l, x->code);
        *refused |= error;
    }
    qz_machine_release(&j->machine);
    qz_arena_release(&j->arena);
    qz_free(j);
    return st;
}

/* The engine's heading: version, date, and what it does with this kind of artifact. Its context, 0: no line for it. */
static qz_status heading(launch *l, qz_runtime e, uint64_t *ctx, qz_error *err) {
    char label[64];
    qz_explained *x = l->x;
    const qz_loads *how = qz_loads_get(l->kind, e);
    const unsigned cc = l->hardware && l->hardware->capability > 0 ? (unsigned)l->hardware->capability : 0;
    *ctx = 0;
    if (l->asked != QZ_RUNTIME_NONE && l->asked != e) return QZ_OK;
    qz_explain_line(x, "\n%s%s", qz_runtime_label(e, label),
                    qz_runtime_get(e)->confirmed ? "" : ", from documentation");
    if (how == NULL) return qz_explain_line(x, "  unknown whether it loads this"), QZ_OK;
    if (how->how == QZ_REFUSES)
        return qz_explain_say(x, "  does not load it%s%s", *how->note ? ": " : "", how->note), refuse(l, "PRE-LOAD"),
               QZ_OK;
    if (how->cc && cc && cc < how->cc)
        return qz_explain_say(x, "  does not load it there: needs compute capability %u.%u, %s has %u.%u", how->cc / 10,
                              how->cc % 10, l->hardware->name, cc / 10, cc % 10),
               refuse(l, "PRE-CC"), QZ_OK;
    if (how->how == QZ_DEQUANTIZES)
        qz_explain_say(x, "  decodes it to 16 bits on load: plan memory for BF16%s%s", *how->note ? "; " : "",
                       how->note);
    else if (how->cc)
        qz_explain_say(x, "  needs compute capability %u.%u%s%s", how->cc / 10, how->cc % 10, *how->note ? "; " : "",
                       how->note);
    bool refused = false;
    QZ_TRY(judge(l, e, &refused, err));
    if (refused) return QZ_OK;
    *ctx = l->ctx ? l->ctx : qz_shape_default_ctx(l->shape);
    l->x->launched++;
    return QZ_OK;
}

static const char *quantization_flag(qz_deploy k) {
    return k == QZ_DEPLOY_AWQ ? " --quantization awq" : k == QZ_DEPLOY_GPTQ ? " --quantization gptq" : "";
}
/* What an engine calls the options that were asked for; a cache type of others is said. */
static void more(launch *l, qz_runtime e, qz_str *out) {
    const qz_explain_options *r = &l->x->o;
    const bool vllm = e == QZ_RUNTIME_VLLM;
    if (r->tp > 1) qz_str_printf(out, " %s %llu", vllm ? "--tensor-parallel-size" : "--tp", (unsigned long long)r->tp);
    if (l->users)
        qz_str_printf(out, " %s %llu", vllm ? "--max-num-seqs" : "--max-running-requests",
                      (unsigned long long)l->users);
    if (l->hardware && vllm) qz_str_puts(out, " --gpu-memory-utilization 0.90");
    const char *own = r->kv ? NULL : qz_deploy_cache(&l->spec), *kv = r->kv ? r->kv : own,
               *called = kv ? qz_runtime_kv(e, kv) : NULL;
    const bool sixteen = r->kv && l->kv.k == l->kv.v && (l->kv.k == QZ_KV_F16 || l->kv.k == QZ_KV_BF16);
    if (sixteen && strcmp(dtype_of(l), "float16") == 0 && l->kv.k == QZ_KV_BF16)
        qz_explain_say(l->x, "  the KV cache has the type that it runs in, float16, in place of bf16");
    if (kv == NULL || sixteen) return; /* 16 bits: the type that it runs in */
    if (called) qz_str_printf(out, " --kv-cache-dtype %s", called);
}

/* "  HEAD(" and its arguments: on one further line if they fit, else the path alone on one. `path`: quoted, with all
 * that names the files. */
static void python_call(qz_explained *x, const char *head, const char *path, const char *rest) {
    const size_t n = qz_width(head, SIZE_MAX) + qz_width(path, SIZE_MAX) + qz_width(rest, SIZE_MAX);
    const char *comma = *rest ? ", " : "";
    if (n + 5 <= qz_text_columns()) qz_explain_line(x, "  %s(%s%s%s)", head, path, comma, rest);
    else if (qz_width(path, SIZE_MAX) + qz_width(rest, SIZE_MAX) + 9 <= qz_text_columns())
        qz_explain_line(x, "  %s(\n      %s%s%s)", head, path, comma, rest);
    else qz_explain_line(x, "  %s(\n      %s%s%s%s)", head, path, *rest ? "," : "", *rest ? "\n      " : "", rest);
}

static qz_status servers(launch *l, qz_error *err) {
    qz_explained *x = l->x;
    const char *path = l->word;
    uint64_t ctx;
    qz_str extra = {0};
    QZ_TRY(heading(l, QZ_RUNTIME_VLLM, &ctx, err));
    if (ctx) {
        more(l, QZ_RUNTIME_VLLM, &extra);
        qz_fit_command(&x->text, 2, "vllm serve %s%s --dtype %s --max-model-len %llu%s", path,
                       quantization_flag(l->kind), dtype_of(l), (unsigned long long)ctx, extra.ptr ? extra.ptr : "");
    }
    qz_str_release(&extra);
    QZ_TRY(heading(l, QZ_RUNTIME_SGLANG, &ctx, err));
    if (ctx) {
        more(l, QZ_RUNTIME_SGLANG, &extra);
        qz_fit_command(&x->text, 2,
                       "python3 -m sglang.launch_server --model-path %s%s --dtype %s --context-length %llu%s", path,
                       l->kind == QZ_DEPLOY_GGUF ? " --load-format gguf --quantization gguf"
                                                 : quantization_flag(l->kind),
                       dtype_of(l), (unsigned long long)ctx, extra.ptr ? extra.ptr : "");
    }
    qz_str_release(&extra);
    return QZ_OK;
}

static qz_status transformers(launch *l, qz_error *err) {
    qz_explained *x = l->x;
    const char *path = l->path;
    uint64_t ctx;
    QZ_TRY(heading(l, QZ_RUNTIME_TRANSFORMERS, &ctx, err));
    if (ctx == 0) return QZ_OK;
    char files[1032], gguf[1032] = "", rest[1200];
    const char *base = qz_path_base(path);
    const int folder = base > path ? (int)qz_min_size((size_t)(base - path - 1), 1000) : 1;
    const bool one = l->kind == QZ_DEPLOY_GGUF;
    (void)snprintf(files, sizeof files, "\"%.*s\"", one ? folder : 1000, one && base == path ? "." : path);
    if (one) (void)snprintf(gguf, sizeof gguf, "gguf_file=\"%.1000s\"", base);
    if (one) (void)snprintf(rest, sizeof rest, "%s, device_map=\"auto\"", gguf);
    else (void)snprintf(rest, sizeof rest, "dtype=\"%s\", device_map=\"auto\"", dtype_of(l));
    qz_explain_line(x, "  from transformers import AutoModelForCausalLM, AutoTokenizer");
    python_call(x, "tok = AutoTokenizer.from_pretrained", files, gguf);
    python_call(x, "model = AutoModelForCausalLM.from_pretrained", files, rest);
    return QZ_OK;
}

/* llama.cpp's context is that of all sequences together. */
static qz_status local(launch *l, qz_error *err) {
    qz_explained *x = l->x;
    const char *path = l->word, *kv = l->x->o.kv;
    const unsigned long long users = l->users ? l->users : 1;
    uint64_t ctx;
    QZ_TRY(heading(l, QZ_RUNTIME_LLAMA_CPP, &ctx, err));
    if (ctx) {
        qz_str extra = {0};
        if (users > 1) qz_str_printf(&extra, " -np %llu", users);
        const char *called = kv ? qz_runtime_kv(QZ_RUNTIME_LLAMA_CPP, kv) : NULL;
        const bool plain = l->kv.k == QZ_KV_F16 && l->kv.v == QZ_KV_F16;
        if (called && !plain) qz_str_printf(&extra, " -fa on -ctk %s -ctv %s", called, called);
        const int layers = l->hardware && strcmp(l->hardware->kind, "cpu") == 0 ? 0 : 99;
        qz_fit_command(&x->text, 2, "llama-server -m %s -c %llu -ngl %d%s", path, (unsigned long long)ctx * users,
                       layers, extra.ptr ? extra.ptr : "");
        qz_fit_command(&x->text, 2, "llama-cli -m %s -c %llu -p \"Hello\"", path, (unsigned long long)ctx);
        qz_str_release(&extra);
    }
    QZ_TRY(heading(l, QZ_RUNTIME_OLLAMA, &ctx, err));
    if (ctx == 0) return QZ_OK;
    bool dir = qz_path_is_dir(path);
    const char *here = path[0] == '/' ? "" : "./";
    const bool fits = qz_width(path, SIZE_MAX) + 28 <= qz_text_columns();
    qz_explain_line(x, fits ? "  echo 'FROM %s%s' > Modelfile" : "  echo FROM \\\n    %s%s \\\n    > Modelfile", here,
                    path);
    qz_explain_line(x, "  echo 'PARAMETER num_ctx %llu' >> Modelfile", (unsigned long long)ctx);
    qz_explain_line(x, "  ollama create %s -f Modelfile%s", l->s->name, dir ? "  # converts on import" : "");
    qz_explain_line(x, "  ollama run %s", l->s->name);
    return QZ_OK;
}

/* What the rules of `check` go by: the settings that the folder's own configuration announces, and the shape. */
static qz_status read_spec(launch *l, qz_error *err) {
    char *config = qz_path_is_dir(l->path) ? qz_path_join(l->path, "config.json") : NULL;
    qz_status st = QZ_OK;
    l->spec = (qz_deploy_spec){.kind = QZ_DEPLOY_GGUF, .sym = true, .zero_point = true};
    if (config) {
        st = qz_json_load(config, CONFIG_LIMIT, &l->config, err);
        if (st == QZ_OK) st = qz_deploy_spec_json(l->config, config, &l->spec, err);
    }
    qz_free(config);
    l->kind = l->spec.kind;
    return st == QZ_OK ? qz_shape_from_model(l->s->model, l->s->name, &l->shape, err) : st;
}

static qz_status read_wishes(launch *l, qz_error *err) {
    const qz_explain_options *r = &l->x->o;
    l->asked = QZ_RUNTIME_NONE;
    if (r->engine) QZ_TRY(qz_runtime_find(r->engine, &l->asked, err));
    if (r->engine && !qz_runtime_launches(l->asked))
        return qz_fail(err, QZ_EUSAGE,
                       "no launch line for engine '%s': expected vllm, sglang, transformers, llama.cpp or ollama",
                       r->engine);
    QZ_TRY(qz_plan_number(r->contexts, "ctx", 100000000, &l->ctx, err));
    QZ_TRY(qz_plan_number(r->users, "users", 1000000, &l->users, err));
    QZ_TRY(qz_kv_types_parse(r->kv ? r->kv : "f16", &l->kv, err));
    const uint64_t own = l->s->model->config.max_position;
    if (l->ctx > own)
        return qz_fail(err, QZ_EUSAGE, "--ctx %llu is more than the model has: %llu tokens (max_position_embeddings)",
                       (unsigned long long)l->ctx, (unsigned long long)own);
    const qz_machine_asked asked = {r->hardware, r->hardware_file, r->memory, r->cc};
    QZ_TRY(qz_machine_open(l->x->run, &asked, &l->machine, err));
    l->hardware = l->machine.hardware;
    if (l->hardware && qz_hardware_bytes(l->hardware) == 0)
        return qz_fail(err, QZ_EUSAGE, "the memory of '%s' is not known: choose another --hardware", l->hardware->name);
    return QZ_OK;
}

static const char *shell_word(const char *path, qz_arena *a) {
    qz_str s = {0};
    qz_shell_word(&s, path);
    const char *word = s.ptr ? qz_arena_strdup(a, s.ptr) : NULL;
    qz_str_release(&s);
    return word ? word : path;
}

qz_status qz_explain_launch(qz_explained *x, const char *path) {
    qz_source s = {0};
    QZ_TRY(qz_source_open(x->run, path, &s, x->err));
    qz_unread_json(&s.model->config.keys, "", &(qz_json_writer){.out = &x->unread, .comma = true});
    launch l = {.x = x, .s = &s, .path = path, .word = shell_word(path, &x->arena)};
    qz_explain_line(x, "%s: %s, %s; %s", s.name, s.model->container, s.model->encoding, s.model->contract);
    qz_explain_line(x, "\nquantz");
    qz_fit_command(&x->text, 2, "quantz run %s -p \"Hello\"", l.word);
    qz_status st = read_wishes(&l, x->err);
    if (st == QZ_OK) st = read_spec(&l, x->err);
    if (st == QZ_OK && !l.ctx && s.model->config.max_position > QZ_DEFAULT_CTX)
        qz_explain_say(x, "context: %d tokens where no --ctx says otherwise, as in plan, pick and check; the model has "
                          "%llu", QZ_DEFAULT_CTX, (unsigned long long)s.model->config.max_position);
    if (st == QZ_OK) st = servers(&l, x->err);
    if (st == QZ_OK) st = transformers(&l, x->err);
    if (st == QZ_OK) st = local(&l, x->err);
    if (x->refused) qz_str_printf(&x->unread, ",\"refused\":%zu", x->refused);
    qz_str_printf(&x->unread, ",\"launched\":%zu", x->launched);
    json_decref(l.config);
    qz_shape_free(l.shape);
    qz_machine_release(&l.machine);
    qz_source_release(&s);
    return st;
}
