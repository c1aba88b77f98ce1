package form_test

import (
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/form"
)

func TestIsSecret(t *testing.T) {
	secret := map[string][]string{
		"passwords": {
			"pw", "PW", "pwd", "pwd2", "psw", "pass", "Pass", "pass1", "passwd", "password", "Password", "password1", "user[password]", "user[pwd]", "user.pwd",
			"userPassword", "userPwd", "user-pass", "user_pass", "loginPass", "txtPwd", "newpwd", "confirmPassword", "new-password", "current-password",
			"password_confirmation", "repeat_pass", "passcode", "passphrase", "wp_pass", "mot_de_passe", "motDePasse", "Passwort", "kennwort", "contraseña",
			"contrasena", "senha", "PASSWORD_HASH", "fields[login][password]", "पासवर्ड", "пароль", "密码",
		},
		"PINs": {"mpin", "tpin", "upi_pin", "upiPin", "atm_pin", "card_pin", "debit_card_pin", "security_pin", "login_pin", "confirm_pin", "transactionPin"},
		"cards": {
			"card_number", "cardnumber", "cardNumber", "card-no", "card_num", "CardNo", "credit_card_number", "creditCardNumber", "debit-card-no", "cc-number", "cc_number",
			"ccnum", "ccno", "payment[card_number]", "payment[card][number]", "card[number]", "card.number", "your-card-number", "billing_card_number", "new_card_no",
			"cvv", "CVV", "cvv2", "card_cvv", "cardCvv", "cvvNumber", "cvvcode", "CVVCode", "ccv", "cvc", "CVC", "card_cvc", "cardcvc", "cvc2", "cvn", "csc", "cc-csc", "card_csc",
			"securityCode", "card_security_code", "card_verification_code",
			"cc-exp", "ccexp", "cc-exp-month", "cc_exp_year", "card_expiry", "cardExpiry", "card_expiration_date", "card-exp", "card[exp_month]", "card_exp_mm", "creditCardExpiry",
		},
		"one-time codes": {
			"otp", "OTP", "otp1", "otp_code", "otpCode", "mobile_otp", "mobileOtp", "enterotp", "email_otp", "sms_code", "smsCode", "one-time-code", "one_time_code", "oneTimeCode",
			"one_time_password", "verification_code", "auth_code", "2fa_code", "mfaCode", "totp", "two_factor_code",
		},
		"other": {"ssn", "SSN", "ssn_last4", "social_security_number", "security_answer", "secretAnswer", "mothers_maiden_name", "csrf_token", "access_token", "client_secret", "private_key", "seed_phrase"},
	}
	for kind, names := range secret {
		for _, name := range names {
			if !form.IsSecret(name) {
				t.Errorf("%s: %q is not secret", kind, name)
			}
		}
	}
	for _, name := range []string{
		"", "name", "phone", "message", "email", "code", "country_code", "promo_code", "coupon_code", "zip", "token", "number", "account_number", "iban", "ifsc", "gstin",
		"pin", "PIN", "pincode", "pin_code", "pinCode", "pin-code", "area_pin", "delivery_pin", "current_pin", "address[pin]", "address[pincode]", "office_pin_code", "mobile_pincode",
		"pan", "pan_number", "pan_card_number", "panCardNo", "aadhaar", "aadhar_no", "aadhaar_card_number", "id_card_number", "voter_card_no", "ration_card_number",
		"membership_card_number", "loyalty_card_no", "health_card_number", "green_card_expiry", "credit_card", "card_type", "cardholder_name", "card",
		"passport", "passport_number", "passport_expiry", "passing_year", "passenger", "passengers", "compass", "bypass", "boarding_pass", "event_pass", "pass_type", "passout_year",
		"expiry", "expiry_date", "policy_expiry", "insurance_expiry_date", "exp_years", "experience",
		"adopted", "option", "options", "laptop", "opt_in", "csc_center", "csc_id", "cc", "cc_email", "account", "access_code", "resenha", "discard_number", "keyword", "secretary",
		"shipping", "spin", "opinion", "password_policy_accepted"[:3] + "sage", "class", "accent",
	} {
		if form.IsSecret(name) {
			t.Errorf("%q is secret", name)
		}
	}
}

// TestIsSecretInAnyWriting writes secret names as forms do.
func TestIsSecretInAnyWriting(t *testing.T) {
	for _, words := range []string{"password", "card number", "cvv", "cvc", "one time code", "otp", "pwd", "card security code", "passcode", "cc exp", "upi pin"} {
		camel := ""
		for i, word := range strings.Fields(words) {
			if i > 0 {
				word = strings.ToUpper(word[:1]) + word[1:]
			}
			camel += word
		}
		for _, name := range []string{
			strings.ReplaceAll(words, " ", "_"), strings.ReplaceAll(words, " ", "-"), strings.ReplaceAll(words, " ", ""), strings.ToUpper(strings.ReplaceAll(words, " ", "_")),
			words, camel, strings.ToUpper(camel[:1]) + camel[1:], "user[" + camel + "]", "user." + camel, "form_fields[" + strings.ReplaceAll(words, " ", "_") + "]",
			"user[" + camel + "][]", strings.ReplaceAll(words, " ", "_") + "_1", camel + "2",
		} {
			if !form.IsSecret(name) {
				t.Errorf("%q is not secret", name)
			}
		}
	}
}
