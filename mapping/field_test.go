package mapping

import "testing"

func TestLabelOf(t *testing.T) {
	for input, want := range map[string]string{
		"name": "Name", "first_name": "First name", "your-email": "Your email", "contact[phone]": "Contact phone", "[]": "[]", "été": "Été",
	} {
		if got := labelOf(input); got != want {
			t.Errorf("labelOf(%q): got %q, want %q", input, got, want)
		}
	}
}
