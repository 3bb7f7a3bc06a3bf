package main

import (
	"encoding/json"
	"html/template"
	"os"
)

// Picture is `picture` of an image's document. What Darkroom wrote as CSS is taken for CSS.
type Picture struct {
	Sources     []struct{ Media, Type, Srcset string }
	Img         struct{ Src, Srcset string; Width, Height int }
	Placeholder template.CSS
}

var page = template.Must(template.New("picture").Parse(`<picture>
  {{range .Picture.Sources}}<source {{with .Media}}media="{{.}}" {{end}}type="{{.Type}}" srcset="{{.Srcset}}" sizes="auto, 100vw">{{end}}
  <img loading="lazy" decoding="async" sizes="auto, 100vw" srcset="{{.Picture.Img.Srcset}}" src="{{.Picture.Img.Src}}"
    width="{{.Picture.Img.Width}}" height="{{.Picture.Img.Height}}" alt="{{.Alt}}" style="background:{{.Picture.Placeholder}}">
</picture>
`))

// To try it out: go run picture.go < meta.json
func main() {
	var image struct { Alt string; Picture Picture }
	if err := json.NewDecoder(os.Stdin).Decode(&image); err != nil { panic(err) }
	if err := page.Execute(os.Stdout, image); err != nil { panic(err) }
}
