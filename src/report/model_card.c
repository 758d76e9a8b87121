#include "report/model_card.h"
#include "base/size.h"
#include "report/table_print.h"
#include <ctype.h>
#include <string.h>

static void quoted(qz_str *s, const char *text) {
    qz_json_quote(s, text, strlen(text));
} /* YAML reads JSON's strings */
static const char *known(const char *text) { return text && *text ? text : "UNKNOWN"; }
static const char *text_of(const json_t *o, const char *key) { return json_string_value(json_object_get(o, key)); }
static bool number_of(const json_t *o, const char *key, double *x) {
    const json_t *v = json_object_get(o, key);
    *x = json_number_value(v);
    return json_is_number(v);
}

/* ---- front matter ---- */
static void tag(qz_str *s, const char *text) {
    qz_str_puts(s, "- ");
    qz_str low = {0};
    for (const char *p = text; *p && *p != ' '; p++) qz_str_putc(&low, (char)tolower((unsigned char)*p));
    quoted(s, low.ptr ? low.ptr : "");
    qz_str_putc(s, '\n');
    s->failed |= low.failed;
    qz_str_release(&low);
}

typedef struct { const char *key, *type, *name; } metric;
static const metric metrics[] = {{"ppl", "perplexity", "perplexity"},
                                 {"kl", "kl_divergence", "KL divergence to the source (nats per token)"},
                                 {"top1_pct", "top_token_agreement", "same most likely token as the source (%)"}};

/* The row's figures, each with the interval in its name's place: the Hub shows a value and its type. */
static void model_index(const qz_card_facts *f, qz_str *s) {
    double x, solved, n;
    if (f->row == NULL) return;
    qz_str_puts(s, "model-index:\n- name: ");
    quoted(s, f->name);
    qz_str_puts(s,
                "\n  results:\n  - task:\n      type: text-generation\n    dataset:\n      type: text\n      name: ");
    quoted(s, known(text_of(f->report, "protocol")));
    qz_str_puts(s, "\n    metrics:\n");
    const size_t before = s->len;
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
        if (!number_of(f->row, metrics[i].key, &x)) continue;
        qz_str_printf(s, "    - type: %s\n      value: %.6g\n      name: ", metrics[i].type, x);
        quoted(s, metrics[i].name);
        qz_str_putc(s, '\n');
    }
    if (number_of(f->row, "tasks", &n) && n > 0 && number_of(f->row, "tasks_solved", &solved))
        qz_str_printf(s, "    - type: accuracy\n      value: %.6g\n      name: \"tasks solved (%.0f of %.0f)\"\n",
                      solved / n, solved, n);
    if (s->len == before) qz_str_puts(s, "    []\n");
}

static void front(const qz_card_facts *f, qz_str *s) {
    qz_str_puts(s, "---\n");
    if (f->base) {
        qz_str_puts(s, "base_model: ");
        quoted(s, f->base);
        qz_str_puts(s, "\nbase_model_relation: quantized\n");
    } else qz_str_puts(s, "# base_model: not recorded, give 'quantz card --base ORG/NAME'\n");
    if (f->license) {
        qz_str_puts(s, "license: ");
        quoted(s, f->license);
        qz_str_putc(s, '\n');
    }
    qz_str_puts(s, f->manifest || f->recipe ? "quantized_by: quantz\n" : "# quantized_by: not recorded\n");
    if (f->container && strncmp(f->container, "gguf", 4) != 0) qz_str_puts(s, "library_name: transformers\n");
    qz_str_puts(s, "pipeline_tag: text-generation\ntags:\n- \"quantized\"\n");
    if (f->container) tag(s, f->container);
    if (f->encoding) tag(s, f->encoding);
    model_index(f, s);
    qz_str_puts(s, "---\n\n");
}

/* ---- the page ---- */
static void cell(qz_str *s, const char *text) { /* a table's cell: one line, bars escaped */
    for (const char *p = text; *p; p++) {
        if (*p == '|') qz_str_putc(s, '\\');
        qz_str_putc(s, *p == '\n' ? ' ' : *p);
    }
}
static void line(qz_str *s, const char *what, const char *value) {
    qz_str_printf(s, "| %s | ", what);
    cell(s, value);
    qz_str_puts(s, " |\n");
}

static void origin(const qz_card_facts *f, qz_str *s) {
    char size[48];
    double bits;
    qz_str_puts(s, "| | |\n|---|---|\n");
    line(s, "base model", known(f->base));
    if (f->bytes) line(s, "size", qz_size_text(size, f->bytes));
    if (number_of(f->manifest, "bits_per_weight", &bits)) qz_str_printf(s, "| bits per weight | %.3f |\n", bits);
    if (f->contract) line(s, "precision contract", f->contract);
    line(s, "weights", known(text_of(f->manifest, "summary")));
    line(s, "recipe", known(f->recipe));
    line(s, "made by", f->manifest || f->recipe ? "quantz" : "UNKNOWN");
    line(s, "source sha256", known(f->source_sha));
    line(s, "calibration sha256", known(f->calibration_sha));
    if (f->accepted && *f->accepted) line(s, "accepted findings about the calibration data", f->accepted);
    line(s, "LoRA trained on BF16 base", known(f->lora_base));
    const json_t *gate = json_object_get(f->manifest, "gate");
    if (text_of(gate, "verdict")) line(s, "gate", text_of(gate, "verdict"));
    const json_t *notes = json_object_get(f->manifest, "notes"), *note;
    size_t i;
    json_array_foreach(notes, i, note) if (json_is_string(note)) line(s, "note", json_string_value(note));
}

static void interval(const qz_card_facts *f, const char *what, const char *key, const char *unit, qz_str *s) {
    char low[64], high[64];
    double x, a, b;
    if (!number_of(f->row, key, &x)) return;
    (void)snprintf(low, sizeof low, "%.50s_low", key);
    (void)snprintf(high, sizeof high, "%.50s_high", key);
    qz_str_printf(s, "| %s | %.6g", what, x);
    if (number_of(f->row, low, &a) && number_of(f->row, high, &b)) qz_str_printf(s, " [%.6g, %.6g]", a, b);
    qz_str_printf(s, "%s |\n", unit);
}

static void measured(const qz_card_facts *f, qz_str *s) {
    double n, solved, bytes;
    qz_str_puts(s, "\n## Measured\n\n");
    if (f->row == NULL) {
        qz_str_puts(s, "Nothing: give `quantz card --report report.json` of a `quantz release`.\n");
        return;
    }
    qz_str_puts(s, "| figure | value [95 %] |\n|---|---|\n");
    interval(f, "perplexity", "ppl", "", s);
    interval(f, "perplexity against the source", "dppl_pct", " %", s);
    interval(f, "KL(source \\|\\| artifact)", "kl", " nats per token", s);
    interval(f, "KL as served", "runtime_kl", " nats per token", s);
    interval(f, "same most likely token", "top1_pct", " %", s);
    if (number_of(f->row, "tasks", &n) && n > 0 && number_of(f->row, "tasks_solved", &solved))
        qz_str_printf(s, "| tasks solved | %.0f of %.0f |\n", solved, n);
    if (number_of(f->row, "json_tasks", &n) && n > 0 && number_of(f->row, "json_valid", &solved))
        qz_str_printf(s, "| answers that are JSON where it was asked for | %.0f of %.0f |\n", solved, n);
    if (number_of(f->row, "peak_rss_bytes", &bytes)) qz_str_printf(s, "| peak memory here | %.3g GB |\n", bytes / 1e9);
    qz_str_puts(s, "\n");
    cell(s, known(text_of(f->report, "protocol")));
    qz_str_puts(s, "; ");
    cell(s, known(text_of(f->report, "machine")));
    qz_str_printf(s, "; token hash %.12s.\n", known(text_of(f->report, "token_hash")));
}

/* C-184: what nobody finds out before an adapter misbehaves. */
static void adapters(qz_str *s) {
    qz_str_puts(
        s,
        "\n## Adapters (LoRA)\n\n"
        "An adapter that was trained on the 16-bit base meets other activations here: its correction was fitted to "
        "weights that this artifact only approximates, and the error of quantization is not in what it learned. "
        "Small drift is usual; measure it on your own text before you serve it: `quantz drift --lora ADAPTER --base "
        "BASE --on ARTIFACT --text FILE`; with `--calib FILE -o DIR` it writes the adapter fitted to this artifact, "
        "at the same rank and without training. Where that is not enough, train the adapter on the quantized base "
        "(QLoRA), or merge it into the base (`quantz merge`) and quantize the result: one adapter then, none to "
        "exchange. Record which was done.\n");
}

void qz_model_card(const qz_card_facts *f, qz_str *s) {
    front(f, s);
    qz_str_printf(s, "# %s\n\n", f->name);
    if (f->container) qz_str_printf(s, "%s, %s, of %s.\n\n", f->container, known(f->encoding), known(f->base));
    origin(f, s);
    measured(f, s);
    adapters(s);
    qz_str_puts(s, "\n## Use\n\n`quantz check` tells what meets this artifact where it runs, `quantz explain launch "
                   "ARTIFACT --engine "
                   "ENGINE` prints a launch line, `quantz verify ARTIFACT` checks that nothing changed");
    qz_str_puts(s,
                f->recipe
                    ? ", `quantz verify ARTIFACT --rederive all --source MODEL` that it is what its source and recipe "
                      "give.\n"
                    : ".\n");
}
