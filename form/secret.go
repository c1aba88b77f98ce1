package form

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// IsSecret reports whether an input, by its name, is for a secret with which somebody else could act
// as the visitor: a password, the PIN of a card or an account, the number, code or expiry of a payment
// card, a one-time code, the answer to a security question, a US social security number, or the
// token or key of a program. Nobody needs these to answer an enquiry. This is the one rule for what
// "unmapped" leaves out and for what no page repeats.
//
// What is personal but not secret is not among them: an IBAN, an Aadhaar or PAN number, a passport.
// "pin" is not either: in India that is a postal code.
func IsSecret(input string) bool {
	name := splitCamelCase(input)
	if !isASCII(name) {
		if containsAny(name, foreignPasswords) {
			return true
		}
		name = withoutAccents(name)
	}
	if slices.ContainsFunc(strings.FieldsFunc(name, isSeparator), isSecretWord) {
		return true
	}
	// The last segments of payment[card][number] are the name that counts.
	segments := strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune("[].:", r) })
	joined := ""
	for _, segment := range slices.Backward(segments[max(0, len(segments)-deepestSecret):]) {
		joined = strings.Join(strings.FieldsFunc(segment, isSeparator), "") + joined
		if isSecretName(strings.TrimRight(joined, "0123456789")) {
			return true
		}
	}
	return false
}

// Strangers choose the names of inputs, so these bound the work for one.
const deepestSecret, longestSecret = 4, 64

// isSecretWord matches one word of a name.
func isSecretWord(word string) bool {
	switch strings.TrimRight(word, "0123456789") {
	case "pw", "pwd", "psw", "pswd", "senha", "cvc", "ccv", "cvn", "otp", "totp", "ssn":
		return true
	}
	return false
}

// isSecretName matches a name whose words are joined.
func isSecretName(name string) bool {
	if containsAny(name, secretParts) {
		return true
	}
	if len(name) > longestSecret {
		return false
	}
	whole := name
	for _, counted := range []string{"number", "num", "no"} {
		whole = strings.TrimSuffix(whole, counted)
	}
	return slices.Contains(secretNames, whole) ||
		slices.ContainsFunc(secretEndings, func(ending string) bool { return strings.HasSuffix(whole, ending) }) ||
		slices.ContainsFunc(secretBeginnings, func(beginning string) bool { return strings.HasPrefix(name, beginning) }) ||
		strings.Contains(name, "p") && passwordName.MatchString(name) ||
		strings.Contains(name, "c") && cardDetail.MatchString(name) && !containsAny(name, otherCards)
}

var (
	secretParts = []string{
		"password", "passwd", "passwrd", "passphrase", "passcode", "passwort", "kennwort", "motdepasse", "contrasen", "cvv", "socialsecurity",
	}
	secretBeginnings = []string{"otp", "ssn"}
	secretEndings    = []string{
		"otp", "securitycode", "verificationcode", "smscode", "authcode", "authenticationcode", "authenticatorcode", "onetimecode", "onetimepin",
		"twofactorcode", "2facode", "mfacode", "securityanswer", "secretanswer", "mothersmaidenname", "mothermaidenname",
		"atmpin", "upipin", "cardpin", "debitpin", "creditpin", "transactionpin", "txnpin", "securitypin", "secretpin", "loginpin", "bankpin",
		"bankingpin", "walletpin", "confirmpin", "reenterpin", "authpin", "smspin",
		"cardcsc", "cardcvc", "cardccv", "cardcvn", "cccsc", "cccvc", "paymentcsc", "paymentcvc", "billingcvc",
	}
	secretNames = []string{
		"mpin", "tpin", "csc", "csccode", "cvccode", "ccvcode", "ccn", "accesstoken", "authtoken", "authenticitytoken", "bearertoken",
		"refreshtoken", "csrftoken", "xsrftoken", "jwttoken", "secret", "clientsecret", "apisecret", "appsecret", "consumersecret", "sharedsecret",
		"privatekey", "apikey", "secretkey", "seedphrase", "recoveryphrase", "secretphrase",
	}
	// otherCards are cards that nobody pays with, and words that end like one.
	otherCards = []string{
		"aadhaarcard", "aadharcard", "adhaarcard", "adharcard", "pancard", "idcard", "identitycard", "nationalcard", "residentcard", "residencecard",
		"greencard", "votercard", "rationcard", "labourcard", "laborcard", "shramcard", "healthcard", "abhacard", "ayushmancard", "medicarecard",
		"insurancecard", "membercard", "membershipcard", "loyaltycard", "rewardcard", "rewardscard", "privilegecard", "discountcard", "clubcard",
		"librarycard", "studentcard", "employeecard", "staffcard", "businesscard", "visitingcard", "reportcard", "scorecard", "jobcard", "simcard",
		"metrocard", "travelcard", "smartcard", "accesscard", "keycard", "timecard", "discard",
	}
	foreignPasswords = []string{"पासवर्ड", "пароль", "密码", "密碼", "パスワード", "비밀번호"}

	passwordName = regexp.MustCompile(`^` + aboutPassword + `(pass|pwd|pw|pword)` + aboutPassword + `$`)
	cardDetail   = regexp.MustCompile(`(card(number|num|nbr|no)|^cc(number|num|nr|no)|(card|^cc)(exp|expiry|expires|expiration)(date|month|year|mm|yy|yyyy|mmyy)?)$`)
)

const aboutPassword = `(user|login|account|admin|member|my|your|new|old|current|confirm|confirmation|repeat|retype|again|verify|re|txt|input|email|wp|db|ftp|hash)*` //nolint:gosec // names of inputs

func containsAny(s string, parts []string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(s, part) })
}

// splitCamelCase returns the name in lower case, with a space before each capital that follows a
// small letter or a digit.
func splitCamelCase(name string) string {
	var b strings.Builder
	var before rune
	for _, r := range name {
		if unicode.IsUpper(r) && (unicode.IsLower(before) || unicode.IsDigit(before)) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
		before = r
	}
	return b.String()
}

// withoutAccents drops accents, so that "contraseña" is written like "contrasena".
func withoutAccents(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFD.String(name))
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

func isSeparator(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }
