/* What the initrd hears from a TPM, and the text of a release. */
#include <stdlib.h>
#include <string.h>

#include "rollback/release.h"
#include "rollback/tpm_command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct release release;
	enum tpm_answer answer;
	struct error err;
	uint64_t number;
	char *text = malloc(size + 1);

	ASSERT(text);
	memcpy(text, data, size);
	text[size] = '\0';
	if (release_parse(text, &release, &err) == 0)
		ASSERT(release.floor >= 1 && release.floor <= release.version);
	free(text);
	if (tpm_answer_decode(data, size, &answer, &err) == 0 && answer == TPM_DONE)
		(void)!tpm_answer_number(data, size, &number, &err);
	return 0;
}
