#include "base/io.h"
#include "base/size.h"
#include "pipeline/checks.h"
#include "produce/naming.h"
#include "produce/produce.h"
#include "pipeline/verbs.h"
#include "report/check_print.h"
#include "report/table_print.h"
#include <string.h>

/* What quantize would refuse to write, by planning it. */
static qz_status check_write(qz_check_job *j, qz_error *err) {
    if (j->unwritten) return QZ_OK;
    /* a family that only the plan knows */
    const bool unopened = j->model == NULL && j->weight_files > 0 && qz_path_is_dir(j->path);
    if (!j->has_wanted || j->gguf || !qz_path_exists(j->path) || (j->model ? j->model->scheme != NULL : !unopened))
        return QZ_OK;
    qz_run silent = *j->run;
    qz_source s = {0};
    qz_artifact_plan plan;
    const qz_importance none = {0};
    qz_error why = {0};
    const qz_recipe recipe = {.spec = j->scheme, .codes.search = QZ_SEARCH_BEST};
    const qz_produce_options o = {.recipe = &recipe, .rehearse = true, .rehearse_calibrated = true,
                                  .source_dir = qz_path_is_dir(j->path) ? j->path : NULL};
    silent.log = NULL;
    silent.hook = NULL;
    qz_status st = qz_source_open(&silent, j->path, &s, &why);
    if (st == QZ_OK) st = qz_produce_plan(&silent, &s, &none, &o, &j->arena, &plan, &why);
    qz_source_release(&s);
    if (st == QZ_EUSAGE || st == QZ_EUNSUPPORTED)
        qz_check_add(&j->f, "CHK-WRITE", "", "quantize refuses it: %s", why.text);
    else if (st == QZ_EMEMORY) return qz_fail(err, st, "%s", why.text);
    return QZ_OK;
}

/* A report or a note needs no model; everything else does. */
static qz_status without_model(const qz_request *r, qz_check_job *j, qz_error *err) {
    const struct { const char *given, *option; } of_models[] = {
        {r->to, "to"}, {r->engine, "engine"}, {r->cc, "cc"}, {r->hardware, "hardware"}, {r->memory, "memory"},
        {r->ram, "ram"}, {r->dtype, "dtype"}, {r->kv, "kv"},
        {r->workload, "workload"}, {r->lora, "lora"}, {r->data, "calib"}, {r->traffic, "traffic"},
        {r->against, "against"}};
    if (!r->report && !r->note)
        return qz_fail(err, QZ_EUSAGE,
                       "no model: expected MODEL, found 0 operands (--report FILE and --note FILE are judged alone "
                       "too); see 'quantz check --help'");
    for (size_t i = 0; i < sizeof of_models / sizeof of_models[0]; i++)
        if (of_models[i].given)
            return qz_fail(err, QZ_EUSAGE, "--%s is about a model: give MODEL beside it", of_models[i].option);
    j->alone = true;
    j->path = r->report ? r->report : r->note;
    return qz_check_data(j, err);
}

qz_status qz_run_checks(qz_check_job *j, qz_error *err) {
    static const char *const workloads[] = {"chat", "reasoning", "math", "code", "medical", "extraction", "long",
                                            "retrieval", "adapters", "training"};
    bool known = j->o.workload == NULL;
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++)
        known = known || strcmp(j->o.workload, workloads[i]) == 0;
    if (!known)
        return qz_fail(err, QZ_EUSAGE,
                       "unknown workload '%s': expected chat, reasoning, math, code, medical, extraction, long, "
                       "retrieval, adapters or training",
                       j->o.workload);
    QZ_TRY(qz_check_open(j, err));
    QZ_TRY(qz_check_files(j, err));
    if (j->foreign) {
        QZ_TRY(qz_check_raw(j, err));
        qz_check_deployment(&j->facts, &j->f);
        return qz_check_data(j, err);
    }
    QZ_TRY(qz_check_tensors(j, err));
    QZ_TRY(check_write(j, err));
    QZ_TRY(qz_check_judge(j, err));
    return qz_check_data(j, err);
}

qz_status qz_run_check_verb(qz_run *run, const qz_request *r, qz_error *err) {
    qz_check_job *j = qz_calloc_array(1, sizeof *j);
    qz_str s = {0};
    if (j == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    j->run = run;
    run->accept = "*"; /* findings say what nothing uses */
    j->o = (qz_check_options){.target = qz_target_asked(r), .to = r->to, .workload = r->workload,
                              .hardware = r->hardware, .hardware_file = r->hardware_file,
                              .memory = r->memory, .ram = r->ram, .dtype = r->dtype,
                              .contexts = r->contexts, .users = r->users, .data = r->data, .traffic = r->traffic,
                              .text = r->text, .tasks = r->tasks,
                              .report = r->report, .note = r->note, .lora = r->lora, .deep = r->deep, .quick = r->quick,
                              .against = r->against, .reserve = r->reserve};
    j->path = r->n_operands ? r->operands[0] : NULL;
    j->f.arena = &j->arena;
    qz_status st = j->path ? qz_run_checks(j, err) : without_model(r, j, err);
    if (st == QZ_OK) st = r->json ? qz_check_json(j, &s, err) : qz_check_text(j, &s, err);
    if (st == QZ_OK) st = r->json ? qz_show(&s, err) : qz_show_text(&s, err);
    size_t bad = j->f.count[QZ_FINDING_ERROR] + j->f.count[QZ_FINDING_WARN];
    if (st == QZ_OK && bad) {
        const qz_finding *x = j->f.rows;
        for (size_t i = 0; i < j->f.n; i++)
            if (j->f.rows[i].level > x->level) x = &j->f.rows[i];
        st = qz_fail(err, QZ_ECHECK, "check says no: '%s': %zu finding%s, first %s", j->path, bad, bad == 1 ? "" : "s",
                     x->code);
    }
    qz_str_release(&s);
    qz_check_release(j);
    qz_free(j);
    return st;
}
