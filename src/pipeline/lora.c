#include "pipeline/lora.h"
#include "base/size.h"
#include "codecs/bnb.h"

qz_status qz_loras_open(qz_run *run, const qz_request *r, qz_loras *out, qz_error *err) {
    *out = (qz_loras){0};
    if (r->adapters.n == 0) return QZ_OK;
    out->a = qz_calloc_array(r->adapters.n, sizeof *out->a);
    if (out->a == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory opening adapters");
    for (size_t i = 0; i < r->adapters.n; i++) {
        const qz_status st = qz_adapter_open(r->adapters.at[i], &out->a[out->n], err);
        if (st != QZ_OK) return qz_loras_release(out), st;
        const qz_adapter *a = &out->a[out->n++];
        if (a->n_absent)
            qz_warn(run, "adapter '%s' holds no tensor for %zu of the modules that its configuration names: the first "
                         "is '%s'", a->path, a->n_absent, a->absent[0]);
    }
    return QZ_OK;
}

/* Codes whose method may have moved scales into norms. */
static bool may_fold(const qz_model *m) {
    const qz_tensor_view *t = qz_model_linear(m);
    return m->scheme && t && t->type == QZ_TYPE_CODED && t->coded->ops != &qz_bnb_ops;
}

qz_status qz_loras_beside(qz_run *run, const qz_loras *l, const qz_source *model, const qz_source *base, qz_lora **out,
                          qz_error *err) {
    *out = NULL;
    if (l->n == 0) return QZ_OK;
    qz_bind_to to = {model, base, 0};
    for (size_t i = 0; i < l->n && !model->model->loose; i++)
        QZ_TRY(qz_adapter_settle(run, &l->a[i], &model->model->config, err));
    QZ_TRY(qz_adapter_bind(l->a, l->n, &to, out, err));
    qz_info(run, "%s: adapters beside %zu linears%s", model->model->path, (*out)->linears,
            to.folds ? ", scales that were folded into norms taken out again" : "");
    if (base == NULL && may_fold(model->model))
        qz_warn(run, "%s: where its method moved scales into norms (AWQ), an adapter reads scaled inputs, as in an "
                     "engine; name the float checkpoint (run: --base, eval: --against) to have them taken out",
                model->model->path);
    return QZ_OK;
}

void qz_loras_release(qz_loras *l) {
    for (size_t i = 0; i < l->n; i++) qz_adapter_release(&l->a[i]);
    qz_free(l->a);
    *l = (qz_loras){0};
}
