package form

import (
	"regexp"
	"slices"
	"strings"
)

// IsSecret reports whether the name of an input asks for a password, a payment card or a one-time
// code. Nobody needs these to answer an enquiry.
//
// "pin" is not among the names: in India that is a postal code.
func IsSecret(input string) bool {
	last := input
	if start := strings.LastIndexAny(strings.TrimRight(input, "]"), "[."); start >= 0 {
		last = input[start+1:]
	}
	return secretName.MatchString(join(last)) || slices.ContainsFunc(wordsOf(input), isSecretWord)
}

var secretName = regexp.MustCompile(`password|passphrase|passcode|passwort|kennwort|motdepasse|contrasen|` +
	`^pass[0-9]?$|^((credit|debit|bank|payment|atm|cc)+)?card(number|no|num)$|^cc(number|no|num|csc|exp)$|` +
	`^(card)?(security|verification)code$|^(sms|auth|authentication|onetime|2fa|mfa)(code|pin)$|^(m|t|atm|upi|card|debit|credit)pin$`)

func isSecretWord(word string) bool {
	switch strings.TrimRight(word, "0123456789") {
	case "pw", "pwd", "passwd", "cvv", "cvc", "csc", "otp", "totp":
		return true
	}
	return false
}

// wordsOf splits the name of an input, such as "userPwd" or "user[pwd]", into lower case words.
func wordsOf(name string) []string {
	return strings.FieldsFunc(strings.ToLower(camelCase.ReplaceAllString(name, "$1 $2")), isSeparator)
}

var camelCase = regexp.MustCompile(`([a-z])([A-Z])`)

func join(name string) string { return strings.Join(wordsOf(name), "") }

func isSeparator(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }
