/* What to do with an answer of pick: commands that can be given as they stand, words where this program has none. */
#include "base/size.h"
#include "deploy/format_names.h"
#include "report/fit.h"
#include "report/pick_print.h"
#include <stdio.h>
#include <string.h>

static bool sixteen(const qz_pick_answer *a) { return a->level == QZ_LEVEL_COUNT || a->level == QZ_LEVEL_BF16; }

bool qz_pick_writes(const qz_pick_page *x, qz_level level) {
    return x->shape->runs && (level == QZ_LEVEL_BF16 || qz_level_scheme(level) != NULL);
}

/* Kinds of folders and files that this program opens, so that it can say how to launch them. */
static bool opens(const qz_pick_page *x) {
    const qz_pick_answer *a = x->answer;
    const qz_deploy kind = a->level != QZ_LEVEL_COUNT ? qz_deploy_of_level(qz_level_get(a->level)->name)
                           : strcmp(x->shape->released, "gguf") == 0 ? QZ_DEPLOY_GGUF
                                                                     : qz_deploy_of_method(x->shape->released);
    return qz_deploy_get(kind)->opened != QZ_OPENS_NONE && x->shape->runs && strcmp(a->workload, "training") != 0;
}

static void option(qz_str *s, const char *name, const char *value) {
    if (value == NULL) return;
    qz_str_printf(s, " --%s ", name);
    qz_shell_word(s, value);
}
static void counted(qz_str *s, const char *name, uint64_t value) {
    if (value) qz_str_printf(s, " --%s %llu", name, (unsigned long long)value);
}

/* The machine, as check and explain launch take it alike. */
static void machine(qz_str *s, const qz_check_options *o) {
    option(s, "hardware", o->hardware);
    option(s, "hardware-file", o->hardware_file);
    option(s, "memory", o->memory);
    option(s, "cc", o->target.cc);
}

/* The very options that the findings beside it come from. */
static void check_command(const qz_pick_page *x, qz_str *s) {
    const qz_check_options *o = &x->answer->check;
    qz_str_puts(s, "quantz check ");
    qz_shell_word(s, x->input);
    option(s, "to", o->to);
    option(s, "engine", o->target.engine);
    counted(s, "tp", o->target.tp);
    machine(s, o);
    option(s, "ram", o->ram);
    option(s, "ctx", o->contexts);
    option(s, "users", o->users);
    option(s, "kv", o->target.kv);
    option(s, "dtype", o->dtype);
    option(s, "workload", o->workload);
    counted(s, "loras", o->target.loras);
    if (o->reserve >= 0) qz_str_printf(s, " --reserve %.6g", o->reserve);
}

static void release_command(const qz_pick_page *x, qz_str *s) {
    const qz_pick_answer *a = x->answer;
    const bool calibrated = strncmp(a->calibration.answer, "none", 4) != 0;
    qz_str_puts(s, "quantz release ");
    if (x->shape_only) qz_str_puts(s, "MODEL-FOLDER");
    else qz_shell_word(s, x->input);
    qz_str_printf(s, " --to %s%s --text HELD-OUT.txt --tasks TASKS.jsonl -o DIR", a->check.to,
                  calibrated ? " --calib YOUR-TRAFFIC.jsonl" : "");
}

static void launch_command(const qz_pick_page *x, qz_str *s) {
    const qz_pick_answer *a = x->answer;
    const qz_check_options *o = &a->check;
    qz_str_puts(s, "quantz explain launch ");
    if (!sixteen(a)) qz_str_puts(s, qz_pick_writes(x, a->level) ? "DIR/ARTIFACT" : "DIR");
    else if (x->shape_only) qz_str_puts(s, "MODEL-FOLDER");
    else qz_shell_word(s, x->input);
    if (qz_runtime_launches(a->engine)) option(s, "engine", o->target.engine);
    machine(s, o);
    option(s, "ctx", o->contexts);
    option(s, "users", o->users);
    /* a server's cache of 16 bits has the type that the artifact is run in */
    const bool plain = a->kv_type == QZ_KV_F16 || a->kv_type == QZ_KV_BF16;
    if (!plain || a->engine == QZ_RUNTIME_LLAMA_CPP) option(s, "kv", o->target.kv);
    counted(s, "tp", o->target.tp);
}

void qz_pick_next(const qz_pick_page *x, qz_pick_next_fn *each, void *arg) {
    const qz_pick_answer *a = x->answer;
    void (*const commands[])(const qz_pick_page *, qz_str *) = {check_command, release_command, launch_command};
    const bool other = !sixteen(a) && !qz_pick_writes(x, a->level), said = !a->refused && a->level != QZ_LEVEL_COUNT;
    const bool given[] = {a->check.target.engine != NULL, !a->refused && !sixteen(a) && !other,
                          !a->refused && !a->offloaded && opens(x)};
    char text[256];
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        qz_str s = {0};
        if (given[i]) commands[i](x, &s);
        if (s.len) each(arg, true, s.ptr);
        qz_str_release(&s);
        if (i != 0 || !said) continue;
        if (!x->shape->runs)
            (void)snprintf(text, sizeof text,
                           "quantz plans models of type '%s' and runs none: make and serve it with other tools, then "
                           "quantz check DIR",
                           x->shape->model_type);
        else if (other)
            (void)snprintf(text, sizeof text,
                           "quantz does not write %s yet: make it with the format's own tools, then quantz check DIR",
                           qz_level_get(a->level)->name);
        if (other || !x->shape->runs) each(arg, false, text);
    }
}
