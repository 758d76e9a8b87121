/* `explain launch ARTIFACT`: the lines that load it, per engine, from what the artifact is and what engines.def knows. */
#include "base/io.h"
#include "base/size.h"
#include "pipeline/explain.h"
#include "report/fit.h"
#include "pipeline/source.h"
#include "plan/engines.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static qz_deploy kind_of(const qz_model *m) {
    if (strncmp(m->container, "gguf", 4) == 0) return QZ_DEPLOY_GGUF;
    if (strcmp(m->container, "safetensors") == 0) return QZ_DEPLOY_FLOAT;
    const qz_deploy kind = m->scheme ? qz_deploy_by_name(m->scheme) : QZ_DEPLOY_COUNT;
    if (kind != QZ_DEPLOY_COUNT) return kind;
    return QZ_DEPLOY_UNKNOWN;
}

/* The engine's heading: version, date, and what it does with this kind of artifact. True if it loads it. */
static bool heading(qz_explained *x, qz_deploy kind, qz_runtime e) {
    char label[64];
    const qz_loads *l = qz_loads_get(kind, e);
    qz_explain_line(x, "\n%s%s", qz_runtime_label(e, label), qz_runtime_get(e)->confirmed ? "" : ", from documentation");
    if (l == NULL) return qz_explain_line(x, "  unknown whether it loads this"), false;
    if (l->how == QZ_REFUSES) return qz_explain_say(x, "  does not load it%s%s", *l->note ? ": " : "", l->note), false;
    if (l->how == QZ_DEQUANTIZES) qz_explain_say(x, "  decodes it to 16 bits on load: plan memory for BF16%s%s", *l->note ? "; " : "", l->note);
    else if (l->cc) qz_explain_line(x, "  needs compute capability %u.%u%s%s", l->cc / 10, l->cc % 10, *l->note ? "; " : "", l->note);
    return true;
}

static const char *quantization_flag(qz_deploy k) {
    return k == QZ_DEPLOY_AWQ ? " --quantization awq" : k == QZ_DEPLOY_GPTQ ? " --quantization gptq" : "";
}
/* Scales of AWQ, GPTQ and GGUF are float16; 16-bit checkpoints say their own type. */
static const char *dtype_of(const qz_model *m, qz_deploy k) {
    if (k == QZ_DEPLOY_AWQ || k == QZ_DEPLOY_GPTQ || k == QZ_DEPLOY_GGUF) return "float16";
    return strcmp(m->encoding, "F16") == 0 ? "float16" : strcmp(m->encoding, "F32") == 0 ? "float32" : "bfloat16";
}

/* "  HEAD(" and its arguments: on one further line if they fit, else the path alone on one. `path`: quoted, with all that names the files. */
static void python_call(qz_explained *x, const char *head, const char *path, const char *rest) {
    const size_t n = qz_width(head, SIZE_MAX) + qz_width(path, SIZE_MAX) + qz_width(rest, SIZE_MAX);
    const char *comma = *rest ? ", " : "";
    if (n + 5 <= qz_text_columns()) qz_explain_line(x, "  %s(%s%s%s)", head, path, comma, rest);
    else if (qz_width(path, SIZE_MAX) + qz_width(rest, SIZE_MAX) + 9 <= qz_text_columns())
        qz_explain_line(x, "  %s(\n      %s%s%s)", head, path, comma, rest);
    else qz_explain_line(x, "  %s(\n      %s%s%s%s)", head, path, *rest ? "," : "", *rest ? "\n      " : "", rest);
}

static void servers(qz_explained *x, const qz_model *m, const char *path, qz_deploy k) {
    unsigned long long ctx = (unsigned long long)m->config.max_position;
    if (heading(x, k, QZ_RUNTIME_VLLM))
        qz_fit_command(&x->text, 2, "vllm serve %s%s --dtype %s --max-model-len %llu", path, quantization_flag(k), dtype_of(m, k), ctx);
    if (heading(x, k, QZ_RUNTIME_SGLANG))
        qz_fit_command(&x->text, 2, "python3 -m sglang.launch_server --model-path %s%s --dtype %s --context-length %llu", path,
                       k == QZ_DEPLOY_GGUF ? " --load-format gguf --quantization gguf" : quantization_flag(k), dtype_of(m, k), ctx);
    if (!heading(x, k, QZ_RUNTIME_TRANSFORMERS)) return;
    char files[1032], gguf[1032] = "", more[1200];
    const char *base = qz_path_base(path);
    const int folder = base > path ? (int)qz_min_size((size_t)(base - path - 1), 1000) : 1;
    (void)snprintf(files, sizeof files, "\"%.*s\"", k == QZ_DEPLOY_GGUF ? folder : 1000,
                   k == QZ_DEPLOY_GGUF && base == path ? "." : path);
    if (k == QZ_DEPLOY_GGUF) (void)snprintf(gguf, sizeof gguf, "gguf_file=\"%.1000s\"", base);
    if (k == QZ_DEPLOY_GGUF) (void)snprintf(more, sizeof more, "%s, device_map=\"auto\"", gguf);
    else (void)snprintf(more, sizeof more, "dtype=\"%s\", device_map=\"auto\"", dtype_of(m, k));
    qz_explain_line(x, "  from transformers import AutoModelForCausalLM, AutoTokenizer");
    python_call(x, "tok = AutoTokenizer.from_pretrained", files, gguf);
    python_call(x, "model = AutoModelForCausalLM.from_pretrained", files, more);
}

static void local(qz_explained *x, const qz_source *s, const char *path, qz_deploy k) {
    unsigned long long ctx = (unsigned long long)s->model->config.max_position;
    if (heading(x, k, QZ_RUNTIME_LLAMA_CPP)) {
        qz_fit_command(&x->text, 2, "llama-server -m %s -c %llu -ngl 99", path, ctx);
        qz_fit_command(&x->text, 2, "llama-cli -m %s -c %llu -p \"Hello\"", path, ctx);
    }
    if (heading(x, k, QZ_RUNTIME_OLLAMA)) {
        bool dir = qz_path_is_dir(path);
        const char *here = path[0] == '/' ? "" : "./";
        const bool fits = qz_width(path, SIZE_MAX) + 28 <= qz_text_columns();
        qz_explain_line(x, fits ? "  echo 'FROM %s%s' > Modelfile" : "  echo FROM \\\n    %s%s \\\n    > Modelfile",
                        here, path);
        qz_explain_line(x, "  echo 'PARAMETER num_ctx %llu' >> Modelfile", ctx);
        qz_explain_line(x, "  ollama create %s -f Modelfile%s", s->name, dir ? "  # converts on import" : "");
        qz_explain_line(x, "  ollama run %s", s->name);
    }
}

qz_status qz_explain_launch(qz_explained *x, const char *path) {
    qz_source s = {0};
    QZ_TRY(qz_source_open(x->run, path, &s, x->err));
    qz_deploy k = kind_of(s.model);
    qz_explain_line(x, "%s: %s, %s; %s", s.name, s.model->container, s.model->encoding, s.model->contract);
    qz_explain_line(x, "\nquantz");
    qz_fit_command(&x->text, 2, "quantz run %s -p \"Hello\"", path);
    servers(x, s.model, path, k);
    local(x, &s, path, k);
    qz_source_release(&s);
    return QZ_OK;
}
