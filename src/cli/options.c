#include "cli/options.h"
#include "base/size.h"
#include "base/str.h"
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <string.h>

#define AT(field) offsetof(qz_request, field)
const qz_option qz_common_options[] = {
    {"threads", 't', QZ_OPT_COUNT, AT(threads), "N", "0", 0, 1024, "threads (0 = all CPUs this process may use)"},
    {"cpu", 0, QZ_OPT_TEXT, AT(cpu), "LEVEL", NULL, 0, 0, "kernels: ref, avx2 or avx512 (default: the best this CPU has)"},
    {"json", 0, QZ_OPT_FLAG, AT(json), NULL, NULL, 0, 0, "results as JSON on stdout"},
    {"quiet", 'q', QZ_OPT_FLAG, AT(quiet), NULL, NULL, 0, 0, "no progress and no notes on stderr"},
    {"help", 'h', QZ_OPT_FLAG, 0, NULL, NULL, 0, 0, "this text"},
};
const size_t qz_common_count = sizeof qz_common_options / sizeof qz_common_options[0];

static const qz_option *option_at(const qz_verb *v, size_t i) {
    return i < v->n_options ? &v->options[i] : i - v->n_options < qz_common_count ? &qz_common_options[i - v->n_options] : NULL;
}

static qz_status set_number(const qz_verb *v, const qz_option *o, const char *text, qz_request *r, qz_error *err) {
    char *end;
    if (o->kind == QZ_OPT_COUNT && o->fallback && strcmp(o->fallback, "auto") == 0 && strcmp(text, "auto") == 0) {
        *(uint64_t *)(void *)((char *)r + o->offset) = QZ_COUNT_AUTO;
        return QZ_OK;
    }
    errno = 0;
    double x = strtod(text, &end);
    bool whole = o->kind != QZ_OPT_COUNT || x == floor(x);
    if (end == text || *end || errno || !isfinite(x) || !whole || x < o->min || x > o->max)
        return qz_fail(err, QZ_EUSAGE, "bad value '%s' for --%s: expected %s from %.15g to %.15g; see 'quantz %s --help'", text, o->name,
                       o->kind == QZ_OPT_COUNT ? "a whole number" : "a number", o->min, o->max, v->name);
    char *field = (char *)r + o->offset;
    if (o->kind == QZ_OPT_COUNT) *(uint64_t *)(void *)field = (uint64_t)x;
    else *(double *)(void *)field = x;
    return QZ_OK;
}
static qz_status set_option(const qz_verb *v, const qz_option *o, const char *text, qz_request *r, qz_error *err) {
    char *field = (char *)r + o->offset;
    if (o->kind == QZ_OPT_FLAG) *(bool *)(void *)field = true;
    else if (o->kind == QZ_OPT_TEXT) *(const char **)(void *)field = text;
    else if (o->kind == QZ_OPT_LIST) {
        qz_text_list *list = (qz_text_list *)(void *)field;
        if (list->n == sizeof list->at / sizeof list->at[0]) return qz_fail(err, QZ_EUSAGE, "too many --%s: at most %zu", o->name, list->n);
        list->at[list->n++] = text;
    } else return set_number(v, o, text, r, err);
    return QZ_OK;
}

static qz_status unknown_option(const qz_verb *v, const char *arg, qz_error *err) {
    const char *name = arg + strspn(arg, "-"), *best = NULL;
    char bare[64];
    size_t n = strcspn(name, "="), best_d = 64;
    (void)snprintf(bare, sizeof bare, "%.*s", (int)(n < 63 ? n : 63), name);
    for (size_t i = 0; option_at(v, i); i++) {
        size_t d = qz_str_distance(option_at(v, i)->name, bare);
        if (d < best_d) best_d = d, best = option_at(v, i)->name;
    }
    return qz_fail(err, QZ_EUSAGE, "unknown option '%s' of quantz %s: nearest known is '--%s'; see 'quantz %s --help'", arg, v->name, best, v->name);
}

qz_status qz_options_parse(const qz_verb *v, int argc, char **argv, qz_request *r, bool *help, qz_error *err) {
    size_t n = v->n_options + qz_common_count;
    struct option *longs = qz_calloc_array(n + 1, sizeof *longs);
    qz_str letters = {0};
    qz_status st = QZ_OK;
    *r = (qz_request){.verb = v->name};
    *help = false;
    qz_str_puts(&letters, ":");
    for (size_t i = 0; i < n && longs; i++) {
        const qz_option *o = option_at(v, i);
        longs[i] = (struct option){.name = o->name, .has_arg = o->kind == QZ_OPT_FLAG ? no_argument : required_argument, .val = (int)(1000 + i)};
        if (o->letter) qz_str_printf(&letters, "%c%s", o->letter, o->kind == QZ_OPT_FLAG ? "" : ":");
        if (o->fallback && st == QZ_OK) st = set_option(v, o, o->fallback, r, err);
    }
    if (longs == NULL || letters.failed) st = qz_fail(err, QZ_EMEMORY, "out of memory");
    optind = 1;
    opterr = 0;
    while (st == QZ_OK) {
        int c = getopt_long(argc, argv, letters.ptr, longs, NULL);
        const qz_option *o = NULL;
        if (c == -1) break;
        for (size_t i = 0; i < n && !o; i++)
            if (c == (int)(1000 + i) || (option_at(v, i)->letter && c == option_at(v, i)->letter)) o = option_at(v, i);
        if (c == ':') st = qz_fail(err, QZ_EUSAGE, "option '%s' needs a value; see 'quantz %s --help'", argv[optind - 1], v->name);
        else if (o == NULL) { /* getopt moves operands about: only optopt or the word before optind is the culprit */
            const char letter[] = {'-', (char)optopt, 0};
            st = unknown_option(v, optopt > 0 && optopt < 128 ? letter : argv[optind - 1], err);
        }
        else if (strcmp(o->name, "help") == 0) *help = true;
        else st = set_option(v, o, optarg, r, err);
    }
    qz_free(longs);
    qz_str_release(&letters);
    if (st != QZ_OK || *help) return st;
    r->operands = argv + optind;
    r->n_operands = (size_t)(argc - optind);
    if (r->n_operands < v->min_operands || r->n_operands > v->max_operands)
        return qz_fail(err, QZ_EUSAGE, "quantz %s: expected %s, found %zu operand%s; see 'quantz %s --help'", v->name,
                       *v->operands ? v->operands : "no operands", r->n_operands, r->n_operands == 1 ? "" : "s", v->name);
    return QZ_OK;
}
