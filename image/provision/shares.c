#include "provision/shares.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/error.h"

/* Products without a branch on the factors. */
static uint8_t multiply(uint8_t a, uint8_t b)
{
	uint8_t product = 0;

	for (int i = 0; i < 8; i++) {
		product ^= (uint8_t)(-(b & 1) & a);
		a = (uint8_t)(a << 1 ^ (-(a >> 7) & 0x1b));
		b >>= 1;
	}
	return product;
}

/* a^254 = a^-1 */
static uint8_t invert(uint8_t a)
{
	uint8_t power = a, inverse = 1;

	for (int i = 0; i < 7; i++) {
		power = multiply(power, power);
		inverse = multiply(inverse, power);
	}
	return inverse;
}

/* The polynomial's value at @x by Horner's rule; coefficient 0 is the secret. */
static uint8_t value(const uint8_t *coefficients, unsigned count, uint8_t x)
{
	uint8_t sum = 0;

	for (unsigned i = count; i > 0; i--)
		sum = multiply(sum, x) ^ coefficients[i - 1];
	return sum;
}

void shares_split(const uint8_t *secret, size_t size, unsigned threshold, unsigned count,
		  struct share ret_shares[SHARES_MAX])
{
	uint8_t coefficients[SHARES_MAX];

	ASSERT(threshold >= 1 && threshold <= count && count <= SHARES_MAX &&
	       size <= SHARE_SECRET_SIZE);
	for (unsigned i = 0; i < count; i++)
		ret_shares[i].number = (uint8_t)(i + 1);
	for (size_t at = 0; at < size; at++) {
		ASSERT(getrandom(coefficients, sizeof(coefficients), 0) == sizeof(coefficients));
		coefficients[0] = secret[at];
		for (unsigned i = 0; i < count; i++)
			ret_shares[i].bytes[at] =
				value(coefficients, threshold, ret_shares[i].number);
	}
	explicit_bzero(coefficients, sizeof(coefficients));
}

/* Lagrange's weight of share @i at 0: the product of x_j / (x_j - x_i). */
static uint8_t weight(const struct share *shares, unsigned count, unsigned i)
{
	uint8_t product = 1;

	for (unsigned j = 0; j < count; j++) {
		if (j != i)
			product = multiply(product,
					   multiply(shares[j].number,
						    invert(shares[j].number ^ shares[i].number)));
	}
	return product;
}

void shares_combine(const struct share *shares, unsigned count, size_t size, uint8_t *ret_secret)
{
	memset(ret_secret, 0, size);
	for (unsigned i = 0; i < count; i++) {
		uint8_t factor = weight(shares, count, i);

		for (size_t at = 0; at < size; at++)
			ret_secret[at] ^= multiply(factor, shares[i].bytes[at]);
	}
}
