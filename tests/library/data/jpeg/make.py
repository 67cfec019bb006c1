"""Makes the JPEGs beside it; needs Pillow, NumPy and simplejpeg.

Red rises to the right, green falls downwards, and blue is a disc. CMYK has black as well, and its values
are inverted, as Photoshop stores them.
"""

import numpy as np
import simplejpeg
from PIL import Image

y, x = np.mgrid[:37, :23]
disc = np.where(np.hypot(y - 18, x - 11) < 8, 200, 60)
picture = np.stack([40 + 8 * x, 230 - 5 * y, disc], 2).astype(np.uint8)
light = picture.max(2, keepdims=True).astype(float)
inks = np.dstack([255 - picture / light * 255, 255 - light]).round().astype(np.uint8)

whole = Image.fromarray(picture)
whole.save("progressive.jpg", quality=92, subsampling=0, progressive=True)
whole.save("halved.jpg", quality=92, subsampling="4:2:0")
whole.save("rgb.jpg", quality=92, keep_rgb=True)
whole.convert("L").save("grey.jpg", quality=92)
Image.fromarray(inks, "CMYK").save("cmyk.jpg", quality=92)
ycck = simplejpeg.encode_jpeg(255 - inks, 92, "CMYK", "444")
with open("ycck.jpg", "wb") as file:
    file.write(ycck)
