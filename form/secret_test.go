package form_test

import (
	"testing"

	"github.com/leadwire/caddy-telecrm/form"
)

func TestIsSecret(t *testing.T) {
	for name, want := range map[string]bool{
		"pw": true, "password": true, "Password": true, "passwd": true, "pwd": true, "pwd2": true, "user[password]": true, "user.pwd": true,
		"confirmPassword": true, "new-password": true, "password_confirmation": true, "pass": true, "mot_de_passe": true,
		"card_number": true, "cardNumber": true, "card-no": true, "credit_card_number": true, "payment[card_number]": true, "cc-number": true, "ccnum": true,
		"cvv": true, "cvv2": true, "card_cvc": true, "CVC": true, "csc": true, "securityCode": true,
		"otp": true, "OTP": true, "otp_code": true, "sms_code": true, "one-time-code": true, "verification_code": true, "mpin": true, "upi_pin": true, "auth_code": true,
		"name": false, "pin": false, "pincode": false, "pin_code": false, "zip": false, "code": false, "country_code": false, "promo_code": false, "passport": false, "passing_year": false,
		"phone": false, "message": false, "aadhaar_card_number": false, "membership_card_number": false, "credit_card": false, "adopted": false, "option": false, "": false,
	} {
		if got := form.IsSecret(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}
