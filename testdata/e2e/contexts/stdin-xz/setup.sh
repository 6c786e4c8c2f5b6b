tar cJf ../ctx.t --owner=77 . && mv ../ctx.t .
