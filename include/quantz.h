/* libquantz: open, inspect, quantize, run and evaluate language models from C and C++.
 *
 *     quantz_context *q;
 *     quantz_quantize_options o;
 *     quantz_quantize_defaults(&o, sizeof o);
 *     o.scheme = "gguf:Q4_K_M";
 *     o.output = "model.Q4_K_M.gguf";
 *     if (quantz_open(NULL, &q) || quantz_quantize(q, "path/of/checkpoint", &o, NULL))
 *         fprintf(stderr, "%s\n", quantz_error(q));
 *     quantz_close(q);
 *
 * Results. Every call that can fail returns quantz_status, QUANTZ_OK (0) for success. quantz_error(context) then is one
 * line of text: problem, object, expected, found, what to do. Lines are those of the program `quantz` and name options
 * by its spelling ("--force" is the field `force`). Nothing is printed, nothing ends the process.
 * Ownership. What quantz_open and quantz_model_open return is closed by the caller, models before their context. Texts
 * that come out through `char **` are released with quantz_free. Strings given to a call are read during the call only,
 * unless said. Options and results are structs whose first field is their size, so that later versions can add fields
 * at the end: options are set up by quantz_…_defaults(&o, sizeof o), which also fills that field; in a result the
 * caller sets size = sizeof result. Texts are UTF-8 and end with a zero byte. NULL means "none" or the default.
 * Threads. One call at a time for a context and its models; different contexts are independent. Callbacks come from the
 * thread that made the call; they must return (no longjmp, no C++ exception) and must not use the same context.
 * Units are in the names: _pct percent, _seconds, bytes; KL divergence and losses in nats.
 * Not there yet: stopping a quantization or an evaluation from another thread. */
#ifndef QUANTZ_H
#define QUANTZ_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#define QUANTZ_API __attribute__((visibility("default")))
#else
#define QUANTZ_API
#endif

#define QUANTZ_API_VERSION 1 /* grows when fields or functions are added; never goes back */

typedef enum quantz_status {
    QUANTZ_OK = 0,
    QUANTZ_EUSAGE,       /* bad argument or option, no such model */
    QUANTZ_EIO,          /* a file cannot be read or written, disk full */
    QUANTZ_EFORMAT,      /* a file is damaged or contradicts itself */
    QUANTZ_EUNSUPPORTED, /* understood, but not possible: family, scheme, CPU level */
    QUANTZ_EMEMORY,
    QUANTZ_ENUMERIC,     /* an algorithm met numbers that it cannot work with */
    QUANTZ_EBUG,         /* our fault: please report the line */
    QUANTZ_ECHECK,       /* a check said no: calibration data refused … */
    QUANTZ_ENONFINITE    /* the model holds NaN or infinite weights */
} quantz_status;

/* "ok", "usage", "io" … Never NULL, static. */
QUANTZ_API const char *quantz_status_name(quantz_status status);
/* "0.1.0". Static. */
QUANTZ_API const char *quantz_version(void);
/* Releases a text that came out through `char **`. NULL is fine. */
QUANTZ_API void quantz_free(void *text);

/* ---- context: threads, CPU level, callbacks, the last error ---- */
typedef struct quantz_context quantz_context;

/* One line for people, without line end; warning: 1 for what should be looked at, 0 for a note. */
typedef void (*quantz_log_fn)(void *user, int warning, const char *line);
/* A stage has done `done` of `total` units ("tensors", "windows" …); ten times a second at most, and at the
 * end of a stage. */
typedef void (*quantz_progress_fn)(void *user, const char *stage, uint64_t done, uint64_t total, const char *unit);

typedef struct quantz_options {
    size_t size;
    uint64_t threads;             /* 0: all CPUs this process may use; at most 1024. Results do not depend on it */
    const char *cpu;              /* "ref", "avx2", "avx512"; NULL: the best this CPU has */
    quantz_log_fn log;            /* NULL: silent */
    quantz_progress_fn progress;  /* NULL: none */
    void *user;                   /* first argument of both; must outlive the context */
} quantz_options;
/* Fills the first `size` bytes of *o. */
QUANTZ_API void quantz_defaults(quantz_options *o, size_t size);

/* Makes a context; options NULL: defaults. *out is a context even when the call fails, so that quantz_error can be read
 * (close it as usual); only when memory is out it is NULL. Returns QUANTZ_EUSAGE, QUANTZ_EUNSUPPORTED (CPU level),
 * QUANTZ_EMEMORY. */
QUANTZ_API quantz_status quantz_open(const quantz_options *options, quantz_context **out);
/* Stops the threads and frees the context. Its models must be closed. NULL is fine. */
QUANTZ_API void quantz_close(quantz_context *context);
/* The error line of the last call with this context or a model of it; "" if it succeeded. Valid until the next such
 * call. context NULL: the line for lack of memory. Never NULL. */
QUANTZ_API const char *quantz_error(const quantz_context *context);

/* ---- models ---- */
typedef struct quantz_model quantz_model;

/* Opens a checkpoint folder, an artifact folder (AWQ, GPTQ, bitsandbytes) or a GGUF file; weights are mapped, not
 * loaded. On failure *out is NULL; returns QUANTZ_EUSAGE (no such path), QUANTZ_EIO, QUANTZ_EFORMAT,
 * QUANTZ_EUNSUPPORTED (family, tokenizer), QUANTZ_EMEMORY. */
QUANTZ_API quantz_status quantz_model_open(quantz_context *context, const char *path, quantz_model **out);
/* NULL is fine. */
QUANTZ_API void quantz_model_close(quantz_model *model);
/* Container, encoding, shape, sizes as one JSON object: the text of `quantz inspect --json`. *json: the caller's,
 * quantz_free. Returns QUANTZ_EMEMORY on failure. */
QUANTZ_API quantz_status quantz_inspect(quantz_model *model, char **json);

/* ---- quantize ---- */
typedef struct quantz_quantize_options {
    size_t size;
    const char *scheme;       /* required: "gguf:Q4_K_M", "awq", "gptq:w4g128",
                               * "bnb:nf4" …: `quantz --help` lists them */
    const char *output;       /* required: file (GGUF) or folder; written under a
                               * temporary name, proved, then renamed */
    const char *calibration;  /* text or JSONL: needed by awq and gptq, used as importance by GGUF types */
    const char *statistics;   /* file of `quantz calibrate` instead of calibration */
    const char *imatrix;      /* importance matrix of llama-imatrix, for GGUF types */
    uint64_t samples;         /* calibration windows at most (128) */
    uint64_t seq_len;         /* tokens of a window (512) */
    const char *search;       /* "best" (default): lowest error; "compat": the reference's own bytes */
    const char *propagate;    /* awq, gptq: "original" or "quantized" statistics; NULL:
                               * quantized where calibration is given */
    double damp;              /* awq, gptq: share of the mean diagonal added; 0: decided on held-out tokens, or 0.01 */
    const char *accept;       /* findings of the data lint to accept: "CAL-DUP,CAL-RANK" */
    const char *engine;       /* refuse at once what this engine cannot load: "vllm", "llama.cpp" … */
    uint64_t tensor_parallel; /* GPUs that will share the model, with engine; 0: one */
    const char *compute_capability; /* of the card, with engine: "8.9" */
    const char *name;         /* model name in metadata; NULL: of the folder */
    const char *pre;          /* GGUF pre-tokenizer name for a tokenizer that is not known */
    int32_t force;            /* 1: replace an existing output */
    int32_t resume;           /* 1: continue an interrupted run; the bytes are those of an undisturbed one */
    int32_t strict;           /* 1: statistics that cannot be factored are an error, not rounding to nearest */
    int32_t reserved;
} quantz_quantize_options;
QUANTZ_API void quantz_quantize_defaults(quantz_quantize_options *o, size_t size);

typedef struct quantz_artifact {
    size_t size;
    uint64_t bytes;           /* of file or folder, without the manifest */
    double bits_per_weight;
    double seconds;
    double weight_mse;        /* mean squared error over the weights that were quantized */
    double proof_kl;          /* nats on proof_tokens of a short text, source against artifact; −1: not measured */
    uint64_t proof_tokens;
    uint64_t fallbacks;       /* tensors that got another type than asked for */
    char scheme[80];          /* canonical spelling */
} quantz_artifact;

/* Quantizes the checkpoint (or GGUF file) at `model` as options say; the output has its name only after it was loaded
 * back and every tensor was compared. The bytes are those of the program `quantz` with the same options. result may be
 * NULL. Returns QUANTZ_EUSAGE (options, scheme, existing output), QUANTZ_EIO, QUANTZ_EFORMAT, QUANTZ_EUNSUPPORTED,
 * QUANTZ_ECHECK (data lint), QUANTZ_ENONFINITE, QUANTZ_EMEMORY. Takes seconds to hours; see progress. */
QUANTZ_API quantz_status quantz_quantize(quantz_context *context, const char *model,
                                         const quantz_quantize_options *options, quantz_artifact *result);

/* ---- run ---- */
typedef struct quantz_run_options {
    size_t size;
    const char *system;       /* system message; NULL: none */
    uint64_t max_new;         /* new tokens at most (256) */
    uint64_t ctx;             /* tokens of prompt and answer together at most (4096, and never more than the model's) */
    double temperature;       /* 0 (default): greedy */
    uint64_t top_k;           /* 0 (default): all */
    double top_p;             /* 0.01 to 1 (1: off) */
    double min_p;             /* 0 to 1 (0: off) */
    double repetition_penalty; /* 0.1 to 10 (1: off) */
    uint64_t seed;            /* of the sampler (1) */
    const char *arith;        /* "runtime" (default): fast kernels, 8-bit activations; "exact": float32 */
    int32_t raw;              /* 1: no chat template, continue the prompt as it is */
    int32_t show_special;     /* 1: special tokens as text too */
} quantz_run_options;
QUANTZ_API void quantz_run_defaults(quantz_run_options *o, size_t size);

/* The next piece of the answer: n bytes of complete UTF-8, zero behind them. Return 0 to go on, anything
 * else to stop. */
typedef int (*quantz_text_fn)(void *user, const char *text, size_t n);

typedef struct quantz_answer {
    size_t size;
    uint64_t prompt_tokens, new_tokens;
    int32_t stopped;          /* 1: the model ended the answer itself; 0: max_new, ctx or the callback */
    int32_t reserved;
    double first_token_seconds, decode_seconds; /* decode: behind the first new token */
} quantz_answer;

/* Answers one prompt (no memory of earlier ones) through the model's chat template if it has one. A model without
 * tokenizer takes and gives token ids in decimal. on_text may be NULL; options NULL: defaults; result may be NULL.
 * Returns QUANTZ_EUSAGE (options, prompt longer than ctx), QUANTZ_EUNSUPPORTED (template), QUANTZ_EMEMORY. */
QUANTZ_API quantz_status quantz_run(quantz_model *model, const char *prompt, const quantz_run_options *options,
                                    quantz_text_fn on_text, void *user, quantz_answer *result);

/* ---- evaluate ---- */
typedef struct quantz_evaluate_options {
    size_t size;
    const char *text;         /* evaluation text (JSONL or text): perplexity, KL divergence */
    const char *tasks;        /* tasks with expected answers (JSONL). At least one of the two */
    const char *against;      /* the source: KL divergence and paired differences */
    const char *protocol;     /* "samples", "half", "windows", "stride"; NULL: samples for JSONL, half for text */
    uint64_t windows;         /* windows or texts at most, 0: all; as the defaults set it: 60
                               * windows of a text, all texts of samples */
    uint64_t window;          /* tokens of a window (512) */
    uint64_t stride;          /* step of protocol "stride" (256) */
    const char *arith;        /* "exact": float32; "runtime": the format's own 8-bit activations; "both" (default):
                                 exact, and with `against` the runtime's KL beside it, in the JSON text */
    uint64_t max_tasks;       /* 0 (default): all */
    uint64_t batch;           /* task sequences decoded together (96) */
    uint64_t max_new;         /* new tokens of an answer at most (96) */
} quantz_evaluate_options;
QUANTZ_API void quantz_evaluate_defaults(quantz_evaluate_options *o, size_t size);

/* Figures that were not measured are NaN (counts: 0). Intervals are 95 %; NaN when there is one window only. */
typedef struct quantz_evaluation {
    size_t size;
    uint64_t bytes;           /* of the model at `model` */
    double bits_per_weight;
    uint64_t scored;          /* tokens that were scored */
    double perplexity, perplexity_low, perplexity_high;
    double source_perplexity;
    /* against the source, same tokens */
    double perplexity_change_pct, perplexity_change_low_pct, perplexity_change_high_pct;
    double kl, kl_low, kl_high, kl_median, kl_p99, kl_p999, kl_max; /* nats: KL(source || model) a token */
    double same_top_pct;      /* tokens where both put the same token first */
    double rms_probability_pct; /* root mean square difference of the next token's probability */
    uint64_t tasks, tasks_solved;
    double tasks_low_pct, tasks_high_pct; /* Wilson interval of the share solved */
    double mcnemar_p;         /* exact two-sided test of the tasks lost and won against the source */
    char protocol[160];       /* in words */
    char token_hash[72];      /* of the tokens scored: equal hashes are comparable */
} quantz_evaluation;

/* Evaluates the model or artifact at `model`. result and json may be NULL; *json is the text of `quantz eval --json`
 * (one row a model, the source first), the caller's (quantz_free).
 * Returns QUANTZ_EUSAGE (nothing to evaluate, options), QUANTZ_EIO, QUANTZ_EFORMAT, QUANTZ_EUNSUPPORTED,
 * QUANTZ_EMEMORY. */
QUANTZ_API quantz_status quantz_evaluate(quantz_context *context, const char *model,
                                         const quantz_evaluate_options *options, quantz_evaluation *result,
                                         char **json);
#ifdef __cplusplus
}
#endif
#endif
