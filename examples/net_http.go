// All of a small shop in Go, without a dependency. In place of its sign-in: everybody is DEMO_USER; of its database: a map.
//
//	AUTH_SECRET=$(cat .darkroom/secret) WEBHOOK_SECRET=whsec_… go run examples/net_http.go 4000
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

func env(name, byDefault string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return byDefault
}

var (
	api           = env("API", "http://localhost:3001")
	user          = env("DEMO_USER", "42") // whoever your session says; without one, 401
	webhookKey, _ = base64.StdEncoding.DecodeString(strings.TrimPrefix(os.Getenv("WEBHOOK_SECRET"), "whsec_"))
)

// Record is what the shop keeps of an image.
type Record struct {
	Owner, Status string
	Rev           int
}

var (
	images = map[string]Record{}
	lock   sync.Mutex
)

func sign(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func token(owner, scope string) string {
	claims, _ := json.Marshal(map[string]any{"sub": owner, "scope": scope, "exp": time.Now().Unix() + 600})
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"HS256"}`)) + "." + encode(claims)
	return signed + "." + encode(sign([]byte(os.Getenv("AUTH_SECRET")), signed))
}

// darkroom reads the answer into result; false of what was deleted.
func darkroom(method, path string, body, result any) (bool, error) {
	sent, _ := json.Marshal(body)
	request, err := http.NewRequest(method, api+path, bytes.NewReader(sent))
	if err != nil {
		return false, err
	}
	request.Header.Set("authorization", "Bearer "+token("shop", "admin"))
	request.Header.Set("content-type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	if answer.StatusCode == 410 {
		return false, nil
	}
	if answer.StatusCode > 299 {
		return false, fmt.Errorf("Darkroom answers %s", answer.Status)
	}
	return true, json.NewDecoder(answer.Body).Decode(result)
}

func darkroomToken(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("cache-control", "no-store")
	fmt.Fprint(w, token(user, "upload"))
}

func webhook(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil || !isSigned(r.Header, body) {
		w.WriteHeader(401)
		return
	}
	var event struct {
		Data struct {
			ID, Status string
			Rev        int
		}
		Context struct{ Owner string }
	}
	if json.Unmarshal(body, &event) != nil {
		w.WriteHeader(400)
		return
	}
	lock.Lock()
	defer lock.Unlock()
	data, owner := event.Data, event.Context.Owner
	known, isKnown := images[data.ID]
	if owner == "" {
		owner = known.Owner
	}
	if data.Status == "deleted" {
		owner = ""
	}
	// It may come twice and late: what is not newer changes nothing.
	if !isKnown || data.Rev > known.Rev {
		images[data.ID] = Record{owner, data.Status, data.Rev}
	}
	w.WriteHeader(204)
}

func isSigned(header http.Header, body []byte) bool {
	at, err := strconv.ParseInt(header.Get("webhook-timestamp"), 10, 64)
	if age := time.Now().Unix() - at; err != nil || age > 300 || age < -300 {
		return false
	}
	mac := sign(webhookKey, fmt.Sprintf("%s.%d.%s", header.Get("webhook-id"), at, body))
	expected := []byte("v1," + base64.StdEncoding.EncodeToString(mac))
	for _, given := range strings.Split(header.Get("webhook-signature"), " ") {
		if hmac.Equal(expected, []byte(given)) {
			return true
		}
	}
	return false
}

// Image is what a page shows of an image's document. What Darkroom wrote as CSS is taken for CSS.
type Image struct {
	Alt     string
	Picture struct {
		Sources []struct{ Media, Type, Srcset string }
		Img     struct {
			Src, Srcset   string
			Width, Height int
		}
		Placeholder template.CSS
	}
}

var page = template.Must(template.New("page").Parse(`<!doctype html><title>Pictures</title>
{{range .}}<picture>
  {{range .Picture.Sources}}<source {{with .Media}}media="{{.}}" {{end}}type="{{.Type}}" srcset="{{.Srcset}}" sizes="auto, 100vw">{{end}}
  <img loading="lazy" decoding="async" sizes="auto, 100vw" srcset="{{.Picture.Img.Srcset}}" src="{{.Picture.Img.Src}}"
    width="{{.Picture.Img.Width}}" height="{{.Picture.Img.Height}}" alt="{{.Alt}}" style="background:{{.Picture.Placeholder}}">
</picture>{{end}}
<form method="post" action="/delete-me"><button>Delete me and my pictures</button></form>`))

// What is private comes with URLs that open for an hour.
func pictures(w http.ResponseWriter, r *http.Request) {
	var mine []string
	lock.Lock()
	for id, image := range images {
		if image.Owner == user && image.Status == "ready" {
			mine = append(mine, id)
		}
	}
	lock.Unlock()
	var shown []Image
	for _, id := range mine {
		var image Image
		isThere, err := darkroom("GET", "/images/"+id, nil, &image)
		if err != nil {
			http.Error(w, err.Error(), 502)
			return
		}
		if isThere {
			shown = append(shown, image)
		}
	}
	w.Header().Set("cache-control", "no-store")
	if err := page.Execute(w, shown); err != nil {
		log.Print(err)
	}
}

func deleteMe(w http.ResponseWriter, r *http.Request) {
	// Browsers say where a request comes from: not from another site's form.
	if r.Method != "POST" || r.Header.Get("sec-fetch-site") != "same-origin" {
		w.WriteHeader(403)
		return
	}
	// End the user's sessions first: no more tokens. Webhooks tell of each image when it is gone.
	order := map[string]any{"action": "delete", "select": map[string]string{"owner": user}}
	var job struct{ ID string }
	if _, err := darkroom("POST", "/admin/reprocess", order, &job); err != nil {
		http.Error(w, err.Error(), 502)
		return
	}
	http.Redirect(w, r, "/", 303)
}

func main() {
	http.HandleFunc("/darkroom-token", darkroomToken)
	http.HandleFunc("/darkroom-webhook", webhook)
	http.HandleFunc("/delete-me", deleteMe)
	http.HandleFunc("/", pictures)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
