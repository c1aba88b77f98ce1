package form_test

import (
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/form"
)

func BenchmarkReadURLEncoded(b *testing.B) {
	benchmarkRead(b, urlencoded, "name=Asha+Rao&email=asha%40example.com&phone=081234+56789&interest=Solar&interest=Wind&message=Please+call+me+back.%0D%0AThank+you%21")
}

func BenchmarkReadMultipart(b *testing.B) {
	benchmarkRead(b, formData, part(`name="name"`, "Asha Rao")+part(`name="email"`, "asha@example.com")+part(`name="phone"`, "081234 56789")+
		part(`name="interest"`, "Solar")+part(`name="interest"`, "Wind")+part(`name="message"`, "Please call me back.\r\nThank you!")+
		part(`name="plan"; filename="plan.pdf"`, strings.Repeat("x", 32<<10), "Content-Type: application/pdf")+end)
}

func BenchmarkReadJSON(b *testing.B) {
	benchmarkRead(b, jsonObject, `{"name":"Asha Rao","email":"asha@example.com","phone":"081234 56789","interest":["Solar","Wind"],"message":"Please call me back.\r\nThank you!"}`)
}

func benchmarkRead(b *testing.B, contentType, body string) {
	b.Helper()
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := form.Read(strings.NewReader(body), contentType, form.Limits{}, nil); err != nil {
			b.Fatal(err)
		}
	}
}
