/* One artifact through libquantz: made, evaluated against its source, asked a question.
 *     cc quantize.c $(pkg-config --cflags --libs quantz) -o quantize
 *     ./quantize models/market gguf:Q4_K_M out.gguf models/market/eval.jsonl "75 F in C?" */
#include <quantz.h>
#include <stdio.h>

static void on_log(void *user, int warning, const char *line) {
    (void)user;
    fprintf(stderr, "%s%s\n", warning ? "warning: " : "", line);
}
static int on_text(void *user, const char *text, size_t n) {
    return fwrite(text, 1, n, user) == n ? 0 : 1; /* not 0 stops */
}

static quantz_status work(quantz_context *q, char **argv) {
    quantz_quantize_options o;
    quantz_evaluate_options e;
    quantz_artifact made = {.size = sizeof made};
    quantz_evaluation figures = {.size = sizeof figures};
    quantz_model *model;

    quantz_quantize_defaults(&o, sizeof o);
    o.scheme = argv[2];
    o.output = argv[3];
    o.force = 1;
    quantz_status st = quantz_quantize(q, argv[1], &o, &made);
    if (st != QUANTZ_OK) return st;
    printf("%s: %s, %.3f bits/weight\n", argv[3], made.scheme, made.bits_per_weight);

    quantz_evaluate_defaults(&e, sizeof e);
    e.text = argv[4];
    e.against = argv[1];
    st = quantz_evaluate(q, argv[3], &e, &figures, NULL);
    if (st != QUANTZ_OK) return st;
    printf("perplexity %.4f (source %.4f), KL %.6f nats, same top token %.2f %%\n", figures.perplexity,
           figures.source_perplexity, figures.kl, figures.same_top_pct);

    st = quantz_model_open(q, argv[3], &model);
    if (st != QUANTZ_OK) return st;
    st = quantz_run(model, argv[5], NULL, on_text, stdout, NULL);
    putchar('\n');
    quantz_model_close(model);
    return st;
}

int main(int argc, char **argv) {
    quantz_options o;
    quantz_context *q;
    if (argc != 6) {
        fprintf(stderr, "usage: quantize MODEL SCHEME OUTPUT TEXT PROMPT\n");
        return 2;
    }
    quantz_defaults(&o, sizeof o);
    o.log = on_log;
    o.threads = 1;
    quantz_status st = quantz_open(&o, &q);
    if (st == QUANTZ_OK) st = work(q, argv);
    if (st != QUANTZ_OK) fprintf(stderr, "error (%s): %s\n", quantz_status_name(st), quantz_error(q));
    quantz_close(q);
    return st == QUANTZ_OK ? 0 : 1;
}
