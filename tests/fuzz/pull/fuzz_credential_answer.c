/* Any bytes as what a credential command prints. */
#include <stdlib.h>
#include <string.h>

#include "pull/credential_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct credential_answer answer;
	struct error err = {0};
	int r = credential_answer_decode((const char *)data, size, &answer, &err);

	if (r == 0) {
		ASSERT(answer.password[0] != '\0');
		ASSERT(memchr(answer.password, '\0', sizeof(answer.password)));
		ASSERT(memchr(answer.user, '\0', sizeof(answer.user)));
	} else {
		ASSERT(r == ERROR_DEFECT && answer.password[0] == '\0');
	}
	return 0;
}
