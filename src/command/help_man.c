#include <stdio.h>
#include <string.h>

#include "command/commands.h"
#include "command/help.h"
#include "config/config.h"

/* roff: a leading dot or quote is a request, a backslash an escape, a bare '-' a hyphen. */
static void put_text(FILE *out, const char *text)
{
	if (text[0] == '.' || text[0] == '\'')
		fputs("\\&", out);
	for (; *text; text++) {
		if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '-')
			fputs("\\-", out);
		else
			fputc(*text, out);
	}
}

static void put_options(FILE *out, const struct command_option *options)
{
	for (; options && options->name; options++) {
		fputs(".TP\n\\fB\\-\\-", out);
		put_text(out, options->name);
		fputs("\\fR", out);
		if (options->value) {
			fputs(" \\fI", out);
			put_text(out, options->value);
			fputs("\\fR", out);
		}
		fputc('\n', out);
		put_text(out, options->help);
		fputs(".\n", out);
	}
}

static void put_verb(FILE *out, const struct command *command)
{
	fputs(".SS ", out);
	put_text(out, command->verb);
	if (command->arguments[0]) {
		fputc(' ', out);
		put_text(out, command->arguments);
	}
	fputc('\n', out);
	put_text(out, command->summary);
	fputs(".\n", out);
	if (command->description) {
		fputs(".PP\n", out);
		put_text(out, command->description);
		fputc('\n', out);
	}
	put_options(out, command->options);
	if (command->reads)
		put_options(out, command_output_option);
}

static void put_config(FILE *out)
{
	const struct config_option *option;
	const char *section = "";

	fputs(".SH CONFIGURATION\nAn INI file; a comment begins with ';', a list may go on in "
	      "indented lines. Sizes are written as 256M (IEC units), durations as 100ms, 15m or "
	      "2555d. The section [defaults] takes every key of [source NAME] but servers and "
	      "server\\-id, for all sources.\n",
	      out);
	for (size_t i = 0; (option = config_option_at(i)); i++) {
		if (strcmp(option->section, section) != 0) {
			section = option->section;
			fprintf(out, ".SS [%s]\n", section);
		}
		fputs(".TP\n\\fB", out);
		put_text(out, option->key);
		fputs("\\fR = \\fI", out);
		put_text(out, option->kind);
		fputs("\\fR\n", out);
		put_text(out, option->help);
		if (option->fallback) {
			fputs("; default ", out);
			put_text(out, option->fallback);
		}
		fputs(option->policy ? ". Policy: kept in the ledger, only made stricter.\n"
				     : ".\n",
		      out);
	}
}

static void put_exit_status(FILE *out)
{
	fputs(".SH EXIT STATUS\n"
	      ".TP\n0\nok.\n.TP\n1\nfailed.\n.TP\n2\nusage or configuration.\n"
	      ".TP\n3\nevidence incomplete: a defect, a gap in the range, expired.\n"
	      ".TP\n4\nnot permitted, held, awaiting approval.\n"
	      ".TP\n5\nunavailable (HSM, server, share): retry later.\n"
	      ".TP\n6\nattention: it worked, and some state is not normal.\n"
	      ".PP\n\\fBcheck\\fR alone speaks the convention of monitoring plug\\-ins: 0 ok, 1 "
	      "warning, 2 critical, 3 unknown.\n",
	      out);
}

static void put_files(FILE *out)
{
	fputs(".SH FILES\n.TP\n" CONFIG_PATH_DEFAULT "\nthe configuration.\n"
	      ".TP\n\\fIvolume\\fR/archive.id, segments/, ledger/\nthe archive: its identity, "
	      "the encrypted segments by source and month, and the leaves and checkpoints. All of "
	      "it is readable for the group binvault\\-audit.\n"
	      ".TP\n\\fIstate\\fR\nwhat the HSM service remembers; to be backed up.\n"
	      ".TP\n\\fIpath\\fR of [export]\none directory for each restore, readable for the "
	      "group binvault\\-export.\n"
	      ".TP\n\\fIruntime\\fR\nsockets, while the vault runs.\n"
	      ".TP\n\\fIDIR\\fR/current/binvault.conf\n"
	      "the configuration, where \\fBbinvault config apply\\fR keeps it.\n",
	      out);
}

static void put_examples(FILE *out)
{
	fputs(".SH EXAMPLES\n"
	      ".TP\n\\fBbinvault init && binvault run\\fR\nmake a vault, and start it.\n"
	      ".TP\n\\fBbinvault check\\fR\nfor a monitoring system; all that it judges is in "
	      "\\fBbinvault status \\-\\-output json\\fR.\n"
	      ".TP\n\\fBbinvault restore orders \\-\\-to INC\\-4711 \\-\\-from\\-file "
	      "mariadb\\-bin.000398 \\-\\-until\\-position mariadb\\-bin.000412:71002311 "
	      "\\-\\-reason INC\\-4711\\fR\nfrom the file where the backup ends, up to the "
	      "accident.\n"
	      ".TP\n\\fBbinvault restore orders \\-\\-to INC\\-4711 \\-\\-until "
	      "2026\\-08\\-23T03:11:52Z\\fR\neverything before a time by the server's clock.\n"
	      ".TP\n\\fBbinvault verify \\-\\-archive /mnt/copy\\fR\nwhat an auditor does, on a "
	      "copy.\n"
	      ".SH SEE ALSO\nmariadb\\-binlog(1), sha256sum(1), openssl\\-dgst(1)\n",
	      out);
}

void help_man(FILE *out)
{
	fprintf(out,
		".TH BINVAULT 8 \"\" \"binvault %s\" \"Binvault\"\n"
		".SH NAME\nbinvault \\- archive the binary logs of MySQL and MariaDB servers\n"
		".SH SYNOPSIS\n\\fBbinvault\\fR \\fIVERB\\fR [\\fIOPTION\\fR...] "
		"[\\fIARGUMENT\\fR...]\n"
		".SH DESCRIPTION\nPulls binary logs over TLS, writes them encrypted to "
		"append\\-only "
		"volumes, and restores them byte for byte.\n.SH VERBS\n",
		BINVAULT_VERSION);
	for (const struct command *const *command = commands; *command; command++) {
		const struct command *const *child = (*command)->children;

		if (!child)
			put_verb(out, *command);
		for (; child && *child; child++)
			put_verb(out, *child);
	}
	fputs(".SH OPTIONS OF EVERY VERB\n", out);
	put_options(out, command_global_options);
	put_config(out);
	put_exit_status(out);
	put_files(out);
	put_examples(out);
}
