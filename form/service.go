package form

import "strings"

// IsForService reports whether an input, by its name, is for a form service or a captcha and not for
// the people who read the lead.
func IsForService(input string) bool {
	if strings.HasPrefix(input, "_") {
		return true
	}
	switch strings.ToLower(input) {
	case "redirect", "form-name", "access_key", "apikey", "ccemail", "webhook", "bot-field", "botcheck":
		return true
	}
	return IsCaptchaAnswer(input)
}

// IsCaptchaAnswer reports whether an input, by its name, holds the answer to a captcha, which is valid
// once.
func IsCaptchaAnswer(input string) bool {
	switch strings.ToLower(input) {
	case "g-recaptcha-response", "h-captcha-response", "cf-turnstile-response", "altcha":
		return true
	}
	return false
}
