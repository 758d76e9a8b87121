#include "base/io.h"
#include "base/size.h"
#include "pipeline/checks.h"
#include "produce/outputs.h"
#include "report/pick_print.h"
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
    qz_machine machine;
    json_t *root;                   /* config.json of a folder or file, or NULL */
    qz_deploy_spec stored;
    qz_pick_query q;
    qz_pick_answer answer;
} pick_inputs;

/* What is stored, as `check` reads it. A GGUF file is taken as it was released. */
static qz_status open_shape(qz_run *run, pick_inputs *j, qz_error *err) {
    const char *path = j->r->operands[0];
    QZ_TRY(qz_operand_open(run, path, QZ_OPEN_SHAPE, &j->operand, err));
    const qz_model *m = j->operand.source.model;
    const qz_operand_kind kind = j->operand.kind;
    qz_shape *s = j->operand.shape;
    j->q.shape = s;
    if (kind == QZ_OPERAND_FOLDER || kind == QZ_OPERAND_CONFIG) {
        QZ_TRY(qz_check_config(path, &j->arena, &j->root, &j->stored, &j->q.dtype, err));
        j->q.stored = &j->stored;
    }
    qz_st_dir d = {0};
    if (kind == QZ_OPERAND_FOLDER && qz_st_dir_open(&d, path, &(qz_error){0}) == QZ_OK)
        qz_deploy_spec_scales(&d, &j->stored);
    qz_st_dir_release(&d);
    if (m == NULL && s->released[0] && kind == QZ_OPERAND_FOLDER)
        return qz_operand_weight_files(path, &j->q.weight_bytes, err);
    if (m == NULL) return QZ_OK;
    if (strstr(m->encoding, "F16") == NULL && strcmp(m->encoding, "F32") != 0)
        (void)snprintf(s->released, sizeof s->released, "gguf");
    j->stored = (qz_deploy_spec){.kind = QZ_DEPLOY_GGUF, .sym = true, .zero_point = true};
    j->q.stored = &j->stored;
    j->q.weight_bytes = m->file_bytes;
    return QZ_OK;
}

/* Without a word of a machine: this one, as a CPU. */
static qz_status open_hardware(qz_run *run, pick_inputs *j, qz_error *err) {
    const qz_request *r = j->r;
    if (r->ram) QZ_TRY(qz_bytes_parse(r->ram, "ram", &j->q.system_bytes, err));
    j->q.ram = r->ram;
    j->q.asked = (qz_machine_asked){r->hardware, r->hardware_file, r->memory, r->cc};
    qz_machine_asked asked = j->q.asked;
    if (!asked.hardware && !asked.memory) asked.hardware = QZ_MACHINE_HERE;
    QZ_TRY(qz_machine_open(run, &asked, &j->machine, err));
    j->q.hardware = j->machine.hardware;
    j->q.detected = j->machine.here;
    return qz_machine_shares(j->q.hardware, r->tp, err);
}

static qz_status prepare(qz_run *run, pick_inputs *j, qz_error *err) {
    const qz_request *r = j->r;
    qz_kv_types kv;
    j->q = (qz_pick_query){.engine = QZ_RUNTIME_NONE, .workload = r->workload, .tolerance = r->tolerance,
                           .loras = r->loras, .gpus = r->tp, .kv = r->kv,
                           .reserve = r->reserve};
    if (r->engine) QZ_TRY(qz_runtime_find(r->engine, &j->q.engine, err));
    if (r->kv) QZ_TRY(qz_kv_types_parse(r->kv, &kv, err));
    QZ_TRY(qz_plan_number(r->users, "users", 1000000, &j->q.users, err));
    QZ_TRY(qz_plan_number(r->contexts, "ctx", 100000000, &j->q.ctx, err));
    QZ_TRY(open_hardware(run, j, err));
    return open_shape(run, j, err);
}

static qz_status show(const pick_inputs *j, qz_error *err) {
    const qz_pick_page page = {.input = j->r->operands[0], .shape = j->operand.shape, .hardware = j->q.hardware,
                               .measured = j->q.weight_bytes > 0, .answer = &j->answer,
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

/* The command that the answer prints, run: its findings are the answer's, those of the model's files too. */
static qz_status check_answer(qz_run *run, pick_inputs *j, qz_error *err) {
    qz_pick_answer *a = &j->answer;
    qz_run silent = *run;
    if (a->refused && !a->offer) return QZ_OK;
    qz_check_job *c = qz_calloc_array(1, sizeof *c);
    if (c == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    silent.log = NULL;
    silent.hook = NULL;
    silent.accept = "*"; /* findings say what nothing uses */
    c->run = &silent;
    c->path = j->r->operands[0];
    c->o = a->check;
    c->f.arena = &j->arena;
    qz_status st = qz_run_checks(c, err);
    a->flags = c->f;
    qz_check_release(c);
    qz_free(c);
    for (size_t i = 0; st == QZ_OK && i < a->flags.n && !a->refused; i++) {
        const qz_finding *x = &a->flags.rows[i];
        if (x->level != QZ_FINDING_ERROR) continue;
        a->refused = a->offer = true;
        a->refusal = qz_arena_printf(&j->arena, "check refuses it on these files: %s: %s", x->code, x->problem);
    }
    return st;
}

static qz_status verdict(const qz_pick_answer *a, qz_error *err) {
    if (a->refused) return qz_fail(err, QZ_ECHECK, "pick refuses: %s", a->refusal);
    if (!qz_pick_objects(a)) return QZ_OK;
    const qz_finding *x = a->flags.rows;
    while (x->level == QZ_FINDING_NOTE) x++;
    const size_t n = a->flags.count[QZ_FINDING_WARN];
    return qz_fail(err, QZ_ECHECK, "'quantz check' warns of pick's answer: %zu finding%s, first %s", n, qz_plural(n),
                   x->code);
}

qz_status qz_run_pick_verb(qz_run *run, const qz_request *r, qz_error *err) {
    pick_inputs j = {.r = r};
    qz_outputs outs = {.run = run};
    qz_status st = r->md ? qz_outputs_claim(&outs, r, r->md, QZ_OUTPUT_FILE, err) : QZ_OK;
    if (st == QZ_OK) st = prepare(run, &j, err);
    if (st == QZ_OK) st = qz_pick(&j.q, &j.arena, &j.answer, err);
    if (st == QZ_OK) st = check_answer(run, &j, err);
    if (st == QZ_OK) st = show(&j, err);
    qz_outputs_end(&outs, st); /* the page is written, whatever it says */
    if (st == QZ_OK) st = verdict(&j.answer, err);
    qz_operand_release(&j.operand);
    qz_machine_release(&j.machine);
    json_decref(j.root);
    qz_arena_release(&j.arena);
    return st;
}
