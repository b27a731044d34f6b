/*
 * binvault-token MODULE LABEL PIN-SOURCE: initialise a blank token in software, as whoever is to
 * use it. The PIN is read where the HSM service reads it; it is in no command line.
 */
#include <stdio.h>

#include "base/error.h"
#include "hsm/pin.h"
#include "hsm/token.h"

int main(int count, char *arguments[])
{
	struct error err = {0};
	struct secret pin = {0};
	int r;

	if (count != 4) {
		fprintf(stderr, "usage: binvault-token MODULE LABEL PIN-SOURCE\n");
		return 2;
	}
	r = pin_read(arguments[3], &pin, &err);
	if (r == 0)
		r = token_initialize(arguments[1], arguments[2], &pin, &err);
	secret_release(&pin);
	if (r < 0)
		printf("CONFIGURATION-REFUSED the token: %s\n", err.message);
	return r < 0;
}
