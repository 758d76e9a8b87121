#include "model/leftovers.h"
#include "base/io.h"
#include "base/size.h"
#include "pipeline/plan_input.h"
#include <string.h>
#include <strings.h>

static bool has_weights(const char *dir) {
    static const char *const files[] = {"model.safetensors", "model.safetensors.index.json"};
    bool yes = false;
    for (size_t i = 0; i < 2; i++) {
        char *p = qz_path_join(dir, files[i]);
        yes |= p && qz_path_exists(p);
        qz_free(p);
    }
    return yes;
}

/* With weights at hand their real bytes and the tokenizer count too; what this program cannot open is planned from config.json. */
static qz_status open_weights(qz_run *run, const char *path, bool must, qz_plan_view *v, qz_error *err) {
    qz_error why = {0};
    qz_status st = qz_source_open(run, path, &v->source, &why);
    if (st != QZ_OK && (must || st != QZ_EUNSUPPORTED)) return qz_fail(err, st, "%s", why.text);
    v->opened = st == QZ_OK;
    if (!v->opened) qz_info(run, "the weights are not read (%s): planned from config.json", why.text);
    return QZ_OK;
}

qz_status qz_plan_open_model(qz_run *run, const char *operand, qz_plan_view *v, qz_error *err) {
    bool there = qz_path_exists(operand), dir = there && qz_path_is_dir(operand);
    size_t n = strlen(operand);
    if (!there) {
        bool path = strchr(operand, '/') != NULL || (n > 5 && strcmp(operand + n - 5, ".json") == 0) || (n > 5 && strcmp(operand + n - 5, ".gguf") == 0);
        if (path && !qz_shape_is_builtin(operand)) return qz_fail(err, QZ_EUSAGE, "no such file or folder: '%s'", operand);
        return qz_shape_builtin(operand, &v->shape, err);
    }
    if (!dir && n > 5 && strcasecmp(operand + n - 5, ".gguf") == 0) {
        QZ_TRY(open_weights(run, operand, true, v, err));
        return qz_shape_from_model(v->source.model, v->source.name, &v->shape, err);
    }
    QZ_TRY(qz_shape_load(operand, &v->shape, err));
    v->dir = dir ? operand : NULL;
    qz_keys_say(run, operand, &v->shape->config.keys);
    return dir && v->shape->runs && has_weights(operand) ? open_weights(run, operand, false, v, err) : QZ_OK;
}
