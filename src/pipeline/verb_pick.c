#include "base/io.h"
#include "pipeline/outputs.h"
#include "report/pick_print.h"
#include "deploy/preflight_scheme.h"
#include "pipeline/verbs.h"
#include "plan/numbers.h"
#include "plan/operand.h"
#include "report/table_print.h"
#include <stdio.h>
#include <string.h>

typedef struct {
    const qz_request *r;
    qz_arena arena;
    qz_operand operand;
    qz_hardware_set set;
    qz_hardware own;                /* --memory, or this machine */
    qz_pick_query q;
    qz_pick_answer answer;
} pick_inputs;

/* A GGUF file is taken as it was released. */
static qz_status open_shape(qz_run *run, pick_inputs *j, qz_error *err) {
    QZ_TRY(qz_operand_open(run, j->r->operands[0], QZ_OPEN_SHAPE, &j->operand, err));
    const qz_model *m = j->operand.source.model;
    qz_shape *s = j->operand.shape;
    j->q.shape = s;
    if (m == NULL && s->released[0] && j->operand.kind == QZ_OPERAND_FOLDER)
        return qz_operand_weight_files(j->r->operands[0], &j->q.weight_bytes, err);
    if (m == NULL) return QZ_OK;
    if (strstr(m->encoding, "F16") == NULL && strcmp(m->encoding, "F32") != 0)
        (void)snprintf(s->released, sizeof s->released, "gguf");
    j->q.weight_bytes = m->file_bytes;
    return QZ_OK;
}

/* What a CUDA card of this capability computes in (hardware.def has the same sets). */
static const char *native_of(unsigned cc) {
    static const struct { unsigned from; const char *types; } rows[] = {
        {100, "fp16,bf16,int8,fp8,fp4"}, {89, "fp16,bf16,int8,fp8"}, {80, "fp16,bf16,int8,int4"},
        {75, "fp16,int8,int4"}, {0, "fp16"}};
    size_t i = 0;
    while (cc < rows[i].from) i++;
    return rows[i].types;
}

static qz_status open_hardware(qz_run *run, pick_inputs *j, unsigned cc, qz_error *err) {
    const qz_request *r = j->r;
    uint64_t bytes = 0;
    if (r->memory) QZ_TRY(qz_bytes_parse(r->memory, "memory", &bytes, err));
    if (r->ram) QZ_TRY(qz_bytes_parse(r->ram, "ram", &j->q.system_bytes, err));
    QZ_TRY(qz_hardware_open(&j->set, r->hardware_file, err));
    if (r->hardware) {
        QZ_TRY(qz_hardware_choose(run, &j->set, r->hardware, &j->q.hardware, err));
        j->own = *j->q.hardware;
        if (bytes) j->own.visible_mib = (double)bytes / 1048576.0;
        if (cc) j->own.capability = (int)cc;
    } else if (bytes) {
        j->own = (qz_hardware){.name = cc ? "a CUDA card" : "a machine", .kind = cc ? "gpu" : "cpu",
                               .vendor = cc ? "nvidia" : "any", .visible_mib = (double)bytes / 1048576.0,
                               .native = cc ? native_of(cc) : "int8", .capability = (int)cc, .date = "-",
                               .source = "--memory"};
    } else {
        j->own = (qz_hardware){.name = "this machine", .kind = "cpu", .vendor = "any",
                               .visible_mib = (double)qz_hardware_system_bytes() / 1048576.0, .native = "int8",
                               .date = "now",
                               .source = "memory that this process may use"};
        j->q.detected = true;
    }
    j->q.hardware = &j->own;
    return QZ_OK;
}

static qz_status prepare(qz_run *run, pick_inputs *j, qz_error *err) {
    const qz_request *r = j->r;
    qz_kv_types kv;
    unsigned cc = 0;
    if (r->cc) QZ_TRY(qz_capability_parse(r->cc, &cc, err));
    j->q = (qz_pick_query){.engine = QZ_RUNTIME_NONE, .workload = r->workload, .tolerance = r->tolerance,
                           .loras = r->loras, .gpus = r->tp, .kv = r->kv,
                           .reserve = r->reserve};
    if (r->engine) QZ_TRY(qz_runtime_find(r->engine, &j->q.engine, err));
    if (r->kv) QZ_TRY(qz_kv_types_parse(r->kv, &kv, err));
    QZ_TRY(qz_plan_number(r->users, "users", 1000000, &j->q.users, err));
    QZ_TRY(qz_plan_number(r->contexts, "ctx", 100000000, &j->q.ctx, err));
    QZ_TRY(open_hardware(run, j, cc, err));
    return open_shape(run, j, err);
}

static qz_status show(const pick_inputs *j, qz_error *err) {
    const qz_pick_answer *a = &j->answer;
    const qz_pick_page page = {.input = j->r->operands[0], .shape = j->operand.shape, .hardware = &j->own,
                               .measured = j->q.weight_bytes > 0, .answer = a,
                               .scheme = a->level != QZ_LEVEL_COUNT ? qz_level_scheme(a->level) : NULL,
                               .shape_only = j->operand.kind == QZ_OPERAND_BUILTIN};
    qz_str s = {0}, md = {0};
    qz_status st = QZ_OK;
    if (j->r->md) {
        qz_pick_markdown(&page, &md);
        st = md.failed ? qz_fail(err, QZ_EMEMORY, "out of memory") : qz_write_file(j->r->md, md.ptr, md.len, err);
    }
    if (j->r->json) qz_pick_json(&page, &s);
    else qz_pick_text(&page, &s);
    if (st == QZ_OK) st = qz_show(&s, err);
    qz_str_release(&md);
    qz_str_release(&s);
    return st;
}

qz_status qz_run_pick_verb(qz_run *run, const qz_request *r, qz_error *err) {
    pick_inputs j = {.r = r};
    qz_outputs outs = {.run = run};
    qz_status st = r->md ? qz_outputs_claim(&outs, r, r->md, QZ_OUTPUT_FILE, err) : QZ_OK;
    if (st == QZ_OK) st = prepare(run, &j, err);
    if (st == QZ_OK) st = qz_pick(&j.q, &j.arena, &j.answer, err);
    if (st == QZ_OK) st = show(&j, err);
    qz_outputs_end(&outs, st); /* the page is written, whatever it says */
    if (st == QZ_OK && j.answer.refused) st = qz_fail(err, QZ_ECHECK, "pick refuses: %s", j.answer.refusal);
    else if (st == QZ_OK && qz_findings_has(&j.answer.flags, "CHK-KV"))
        st = qz_fail(err, QZ_ECHECK,
                     "pick's answer does not hold the request: at most %llu user%s at %llu tokens there",
                     (unsigned long long)j.answer.max_users, j.answer.max_users == 1 ? "" : "s",
                     (unsigned long long)j.answer.ctx);
    qz_operand_release(&j.operand);
    qz_hardware_release(&j.set);
    qz_arena_release(&j.arena);
    return st;
}
