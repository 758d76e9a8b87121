/* --help, man page and completion, all made from the option rows. */
#include "cli/options.h"
#include "produce/catalog.h"
#include <string.h>

enum { WIDTH = 80, INDENT = 26 };

/* Wraps text at WIDTH; continuation lines are indented. `at` is the current column. */
static void wrap(FILE *f, const char *text, int at, int indent) {
    bool space = false;
    while (*text) {
        size_t n = strcspn(text, " \n");
        if (at + (int)n + space > WIDTH && at > indent) {
            (void)fprintf(f, "\n%*s", indent, "");
            at = indent;
        } else if (space) at += fprintf(f, " ");
        at += fprintf(f, "%.*s", (int)n, text);
        text += n;
        space = *text == ' ';
        if (*text == '\n') {
            (void)fprintf(f, "\n%*s", indent, "");
            at = indent;
        }
        text += *text != 0;
    }
    (void)fputc('\n', f);
}

static void option_line(FILE *f, const qz_option *o) {
    char left[80];
    int n = snprintf(left, sizeof left, "  %c%c%s--%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
                     o->letter ? ", " : "  ", o->name, o->value ? " " : "", o->value ? o->value : "");
    (void)fputs(left, f);
    if (n >= INDENT) (void)fprintf(f, "\n%*s", INDENT, "");
    else (void)fprintf(f, "%*s", INDENT - n, "");
    char text[600];
    bool show = o->fallback && strcmp(o->fallback, "0") != 0;
    (void)snprintf(text, sizeof text, "%s%s%s%s", o->help, show ? " (default " : "", show ? o->fallback : "",
                   show ? ")" : "");
    wrap(f, text, INDENT, INDENT);
}

void qz_help_verb(FILE *f, const qz_verb *v) {
    (void)fprintf(f, "usage: quantz %s [options]%s%s\n\n", v->name, *v->operands ? " " : "", v->operands);
    wrap(f, v->summary, 0, 0);
    if (v->details) {
        (void)fputc('\n', f);
        wrap(f, v->details, 0, 0);
    }
    (void)fputs("\noptions:\n", f);
    for (size_t i = 0; i < v->n_options; i++) option_line(f, &v->options[i]);
    for (size_t i = 0; i < qz_common_count; i++) option_line(f, &qz_common_options[i]);
}

void qz_help_program(FILE *f) {
    const qz_verb *v;
    (void)fputs("usage: quantz <verb> [options] <input…>\n\nTakes a trained language model to production in few bits: "
                "quantizes a Hugging\n"
                "Face checkpoint to GGUF, AWQ, GPTQ, bitsandbytes, FP8, compressed-tensors and\nModelOpt, runs every "
                "artifact, and measures what it costs.\n\nverbs:\n",
                f);
    for (size_t i = 0; (v = qz_verb_at(i)) != NULL; i++) {
        int k = fprintf(f, "  %-12s", v->name);
        wrap(f, v->summary, k, 14);
    }
    (void)fputs("\nformats (--to):\n", f);
    qz_catalog_print_schemes(f);
    (void)fputs("\nquantz <verb> --help shows the options of a verb. Exit codes: 0 ok, 1 a check\nsaid no, 2 usage or "
                "refused input, 3 runtime failure. An error line ends\nwith its code: 'quantz explain CODE' tells "
                "more.\n",
                f);
}

static void roff(FILE *f, const char *s) {
    for (; *s; s++) {
        if (*s == '-' || *s == '\\') (void)fputc('\\', f);
        (void)fputc(*s, f);
    }
}
static void man_option(FILE *f, const qz_option *o) {
    (void)fputs(".TP\n.B ", f);
    if (o->letter) (void)fprintf(f, "\\-%c, ", o->letter);
    (void)fputs("\\-\\-", f);
    roff(f, o->name);
    if (o->value) (void)fprintf(f, " \\fI%s\\fR", o->value);
    (void)fputc('\n', f);
    roff(f, o->help);
    if (o->fallback && strcmp(o->fallback, "0") != 0) (void)fprintf(f, " (default %s)", o->fallback);
    (void)fputc('\n', f);
}
void qz_help_man(FILE *f) {
    const qz_verb *v;
    (void)fputs(".TH QUANTZ 1 \"\" \"quantz\" \"User commands\"\n.SH NAME\nquantz \\- take language models to "
                "production in few bits\n"
                ".SH SYNOPSIS\n.B quantz\n.I verb\n[options] input ...\n.SH VERBS\n",
                f);
    for (size_t i = 0; (v = qz_verb_at(i)) != NULL; i++) {
        (void)fprintf(f, ".SS quantz %s %s\n", v->name, v->operands);
        roff(f, v->summary);
        (void)fputc('\n', f);
        for (size_t k = 0; k < v->n_options; k++) man_option(f, &v->options[k]);
    }
    (void)fputs(".SS Options of every verb\n", f);
    for (size_t k = 0; k < qz_common_count; k++) man_option(f, &qz_common_options[k]);
    (void)fputs(".SH EXIT STATUS\n0 ok; 1 a gate, check, lint or verification said no; 2 usage or refused input; 3 "
                "runtime failure.\n.SH ERRORS\n"
                "One line on standard error, its code in brackets at the end (quantz explain CODE tells more); with\n"
                "\\-\\-json a document with the code as well.\n",
                f);
    const qz_error_kind *k;
    for (size_t i = 0; (k = qz_error_kind_at(i)) != NULL; i++)
        (void)fprintf(f, ".TP\n%s (exit %d)\n%s. %s.\n", k->code, k->exit, k->what, k->cure);
}

void qz_help_completion(FILE *f) {
    const qz_verb *v;
    (void)fputs("# bash completion for quantz: source it, or put it under bash_completion.d\n_quantz() {\n  local "
                "cur=${COMP_WORDS[COMP_CWORD]}\n"
                "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    COMPREPLY=($(compgen -W \"",
                f);
    for (size_t i = 0; (v = qz_verb_at(i)) != NULL; i++) (void)fprintf(f, "%s%s", i ? " " : "", v->name);
    (void)fputs("\" -- \"$cur\"))\n    return\n  fi\n  local opts=\n  case ${COMP_WORDS[1]} in\n", f);
    for (size_t i = 0; (v = qz_verb_at(i)) != NULL; i++) {
        (void)fprintf(f, "    %s) opts=\"", v->name);
        for (size_t k = 0; k < v->n_options; k++) (void)fprintf(f, "--%s ", v->options[k].name);
        for (size_t k = 0; k < qz_common_count; k++)
            (void)fprintf(f, "%s--%s", k ? " " : "", qz_common_options[k].name);
        (void)fputs("\" ;;\n", f);
    }
    (void)fputs("  esac\n  case $cur in\n    -*) COMPREPLY=($(compgen -W \"$opts\" -- \"$cur\")) ;;\n    *) "
                "COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n  esac\n}\n"
                "complete -o filenames -F _quantz quantz\n",
                f);
}
