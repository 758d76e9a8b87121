#include "report/fit.h"
#include "base/size.h"
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { DEFAULT = 80, LEAST = 40, MOST = 10000 };

size_t qz_columns(void) {
    const char *env = getenv("COLUMNS");
    char *end = NULL;
    long n = env ? strtol(env, &end, 10) : 0;
    struct winsize size = {0};
    if (n <= 0 || *end || n > MOST)
        n = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : DEFAULT;
    return n < LEAST ? LEAST : (size_t)n;
}

size_t qz_text_columns(void) { return qz_min_size(qz_columns(), DEFAULT); }

size_t qz_width(const char *s, size_t bytes) {
    size_t n = 0;
    for (size_t i = 0; i < bytes && s[i]; i++) n += ((unsigned char)s[i] & 0xc0) != 0x80;
    return n;
}

static void wrap(qz_str *out, const char *text, size_t hang, size_t columns) {
    const size_t indent = strspn(text, " ");
    size_t at = indent;
    qz_str_append(out, text, indent);
    text += indent;
    bool first = true;
    while (*text) {
        size_t k = strcspn(text, " ");
        if (text[k] == ' ' && text[k + 1] == '%') k += 1 + strcspn(text + k + 1, " "); /* "100 %" is one word */
        size_t w = qz_width(text, k), gap = strspn(text + k, " ");
        if (!first && at + w > columns) {
            while (out->len && out->ptr[out->len - 1] == ' ') out->ptr[--out->len] = 0;
            qz_str_putc(out, '\n');
            /* a long word (a hash, a path) stands further to the left rather than beyond the edge */
            const size_t room = w < columns ? columns - w : 0;
            for (at = 0; at < qz_min_size(indent + hang, qz_max_size(room, indent)); at++) qz_str_putc(out, ' ');
        }
        qz_str_append(out, text, k + (text[k + gap] ? gap : 0));
        at += w + gap;
        text += k + gap;
        first = false;
    }
    qz_str_putc(out, '\n');
}

void qz_fit_line(qz_str *out, const char *text, size_t hang) { wrap(out, text, hang, qz_text_columns()); }

/* fmt as one string in *line, to be released; out fails with it. */
static const char *formatted(qz_str *line, qz_str *out, const char *fmt, va_list ap) {
    *line = (qz_str){0};
    qz_str_vprintf(line, fmt, ap);
    out->failed |= line->failed;
    return line->ptr ? line->ptr : "";
}

void qz_fit_vprintf(qz_str *out, size_t hang, const char *fmt, va_list ap) {
    qz_str line;
    qz_fit_line(out, formatted(&line, out, fmt, ap), hang);
    qz_str_release(&line);
}
void qz_fit_printf(qz_str *out, size_t hang, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    qz_fit_vprintf(out, hang, fmt, ap);
    va_end(ap);
}

void qz_fit_command(qz_str *out, size_t indent, const char *fmt, ...) {
    qz_str line;
    va_list ap;
    va_start(ap, fmt);
    const char *command = formatted(&line, out, fmt, ap);
    va_end(ap);
    const size_t columns = qz_text_columns();
    size_t at = indent;
    for (size_t i = 0; i < indent; i++) qz_str_putc(out, ' ');
    for (bool first = true; *command; first = false) { /* a piece: an option with its value, or the words in front */
        const char *next = strstr(command + 1, " -");
        size_t n = next ? (size_t)(next - command) : strlen(command), w = qz_width(command, n);
        const size_t word = 1 + strcspn(command + 1, " ");
        if (indent + w + 3 > columns && word < n)
            n = word, w = qz_width(command, n); /* a long path stands on a line of its own */
        if (!first && at + w + 2 > columns) {
            qz_str_puts(out, " \\\n");
            for (at = 0; at <= indent; at++) qz_str_putc(out, ' ');
        }
        qz_str_append(out, command, n);
        at += w;
        command += n;
    }
    qz_str_putc(out, '\n');
    qz_str_release(&line);
}

/* Where the value of "  label     value" begins, counted from the label; 2 for lines of another kind. */
static size_t hang_of(const char *line) {
    enum { LABEL = 20 };
    const size_t indent = strspn(line, " ");
    for (size_t i = indent; line[i] && i < indent + LABEL; i++)
        if (line[i] == ' ' && line[i + 1] == ' ') return qz_width(line + indent, i - indent) + strspn(line + i, " ");
    return 2;
}

void qz_fit_text(qz_str *out, const char *s) {
    const size_t columns = qz_columns();
    while (*s) {
        const size_t n = strcspn(s, "\n");
        if (qz_width(s, n) <= columns) {
            qz_str_append(out, s, n + (s[n] == '\n'));
        } else {
            qz_str line = {0};
            qz_str_append(&line, s, n);
            out->failed |= line.failed;
            if (line.ptr) wrap(out, line.ptr, hang_of(line.ptr), columns);
            qz_str_release(&line);
        }
        s += n + (s[n] == '\n');
    }
}

void qz_shell_word(qz_str *out, const char *word) {
    const size_t n = strlen(word);
    if (n && word[0] != '-' &&
        strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+:@%,=") == n) {
        qz_str_puts(out, word);
        return;
    }
    qz_str_putc(out, '\'');
    for (; *word; word++)
        if (*word == '\'') qz_str_puts(out, "'\\''");
        else qz_str_putc(out, *word);
    qz_str_putc(out, '\'');
}
