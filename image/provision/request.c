#include "provision/request.h"

#include <string.h>

#define BLANKS " \t\r"

static char *skip_blanks(char *text)
{
	return text + strspn(text, BLANKS);
}

static int add(struct request *request, char *word, struct error *err)
{
	if (request->count == REQUEST_WORDS_MAX)
		return error_set(err, ERROR_USAGE, "a request of more than %d words",
				 REQUEST_WORDS_MAX);
	request->words[request->count++] = word;
	return 0;
}

/* What the word says to the option before it. */
static void take_value(struct request *request, const char *word)
{
	const char *option = request->count > 1 ? request->words[request->count - 2] : "";

	if (strcmp(option, "--to") == 0)
		request->name = word;
	else if (strcmp(option, "--client") == 0)
		request->client = word;
}

static int split(char *text, struct request *request, struct error *err)
{
	while (*text) {
		char *word = text;
		int r = add(request, word, err);

		if (r < 0)
			return r;
		text += strcspn(text, BLANKS);
		if (*text)
			*text++ = '\0';
		text = skip_blanks(text);
		if (*text && strcmp(word, "--reason") == 0)
			return add(request, text, err);
		take_value(request, word);
	}
	return 0;
}

int request_parse(char *line, struct request *ret_request, struct error *err)
{
	struct request request = {.count = 0};
	char *text = skip_blanks(line);

	if (*text && *text != '#') {
		if (split(text, &request, err) < 0)
			return err->code;
		if (!request.name)
			return error_set(err, ERROR_USAGE, "a request needs --to NAME");
	}
	*ret_request = request;
	return 0;
}
